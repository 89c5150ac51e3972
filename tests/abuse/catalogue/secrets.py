"""16 to 22: secrets in the environment, in memory and behind descriptors."""

from __future__ import annotations

from .entry import Hostile

_ALLOWED = """
ALLOWED = {
    'HOME', 'TMPDIR', 'PATH', 'LANG', 'LC_ALL', 'LC_CTYPE', 'PYTHONHASHSEED', 'OPENBLAS_NUM_THREADS', 'OMP_NUM_THREADS',
    'MKL_NUM_THREADS', 'MALLOC_ARENA_MAX', 'PYTHONDONTWRITEBYTECODE', 'PYTHONUTF8', 'PWD',
}
"""

_PLANTS = """
text = @PREVIOUS_SECRET@
parts = [text[:20], text[20:]]
kept = {'joined': ''.join(parts), 'bytes': ''.join(parts).encode()}
import builtins
builtins.kept = kept
os.environ['KEPT'] = kept['joined']
print(kept)
kept['joined']
"""

PROGRAMS = (
    Hostile(
        16,
        "environment in Python",
        _ALLOWED
        + """
strange = {name: value for name, value in os.environ.items() if name not in ALLOWED or 'planted' in value}
f'LEAK({strange})' if strange else f'clean {len(os.environ) > 0}'
""",
        value="clean True",
    ),
    Hostile(
        17,
        "environment in C",
        _ALLOWED
        + """
environ = ctypes.POINTER(ctypes.c_char_p).in_dll(LIBC, 'environ')
pairs = []
while environ and environ[len(pairs)]:
    pairs.append(environ[len(pairs)].decode())
strange = [pair for pair in pairs if pair.partition('=')[0] not in ALLOWED or 'planted' in pair]
f'LEAK({strange})' if strange else f'clean {len(pairs) > 0}'
""",
        value="clean True",
    ),
    Hostile(
        18,
        "keys and the reference answer in memory",
        "secrets_in_memory()",
        value="control planted=0",
        scans_memory=True,
    ),
    Hostile(
        19,
        "objects of the garbage collector",
        """
import gc, re
own = ['control-' + 'f' * 32]
pattern = re.compile('(control|planted)-[0-9a-f]{32}')
found, seen = {}, set()
waiting = gc.get_objects()
while waiting:
    thing = waiting.pop()
    if id(thing) in seen or thing is seen or thing is waiting or thing is found:
        continue
    seen.add(id(thing))
    if isinstance(thing, (str, bytes, bytearray)):
        text = thing if isinstance(thing, str) else bytes(thing).decode('latin-1')
        found.update({match[1]: match[0] for match in pattern.finditer(text)})
    else:
        waiting += [part for part in gc.get_referents(thing) if id(part) not in seen]
f'LEAK({found})' if 'planted' in found else f'{len(seen) > 10_000} {list(found)}'
""",
        value=r"True \['control'\]",
    ),
    Hostile(
        20,
        "code and values of the run before",
        "secrets_in_memory()",
        before=_PLANTS,
        value="control planted=0",
        scans_memory=True,
    ),
    Hostile(
        21,
        "frames up the stack",
        """
import re
pattern = re.compile('planted-[0-9a-f]{32}')

def frames():
    start = [sys._getframe(), *sys._current_frames().values()]
    try:
        raise ValueError
    except ValueError as error:
        start.append(error.__traceback__.tb_frame)
    for frame in start:
        while frame is not None:
            yield frame
            frame = frame.f_back

names, secret, count = set(), [], 0
for frame in frames():
    count += 1
    for space in (frame.f_locals, frame.f_globals) if frame.f_code.co_filename != '<program>' else ():
        names.update(space)
        secret += [name for name, value in list(space.items()) if pattern.search(repr(value))]
f'LEAK({secret})' if secret else f'nothing in {count > 4} frames'
""",
        value="nothing in True frames",
    ),
    Hostile(
        22,
        "open descriptors",
        """
import stat
kinds = {stat.S_ISFIFO: 'pipe', stat.S_ISCHR: 'device', stat.S_ISSOCK: 'socket'}
found = []
for number in range(4096):
    try:
        mode = os.fstat(number).st_mode
    except OSError:
        continue
    found.append(f'{number}:' + next((name for test, name in kinds.items() if test(mode)), 'LEAK'))
' '.join(found)
""",
        value="0:device 1:pipe 2:pipe 3:(pipe|socket)",
    ),
)
