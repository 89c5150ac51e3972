"""1 to 15: files of the host, and scratch folders of other runs."""

from __future__ import annotations

from .entry import Hostile

_OPEN = """
def look(path):
    return attempt(lambda: open(path, 'rb').read(20)), attempt(os.stat, path)
"""

_WRITE_EVERYWHERE = """
def all_folders():
    yield from (os.getcwd(), '/tmp', '/var/tmp', '/run', '/dev', '/dev/shm', '/proc', '/usr', '/home')
    yield from (*sys.path, '/mathagent-code')
    for start in ('/', '/scratch', os.path.dirname(os.getcwd())):
        for top, folders, _ in os.walk(start):
            if top.count('/') > 4 or top.startswith(('/proc', '/usr/', '/lib')):
                folders.clear()
            yield top

def leave_behind():
    found, left = 0, 0
    folders = set(all_folders())
    for folder in folders:
        found += os.path.exists(os.path.join(folder, 'left-behind'))
    for folder in folders:
        try:
            with open(os.path.join(folder, 'left-behind'), 'w') as file:
                file.write('x')
            left += 1
        except OSError:
            pass
    return found, left

before = os.listdir()
found, left = leave_behind()
"""

PROGRAMS = (
    Hostile(
        1,
        "password hashes",
        _OPEN + "in_short(look('/etc/shadow') + look('/etc/shadow-') + look('/etc/gshadow'))",
        value="ENOENT",
    ),
    Hostile(2, "user list", _OPEN + "in_short(look('/etc/passwd') + look('/etc/group'))", value="ENOENT"),
    Hostile(
        3,
        "secret file of the host",
        _OPEN + "in_short((*look(@SECRET_FILE@), *look(@FOLDER@), attempt(os.listdir, @FOLDER@)))",
        value="ENOENT",
    ),
    Hostile(
        4,
        "environment of process 1",
        _OPEN + "in_short(look('/proc/1/environ') + look('/proc/1/cmdline') + look('/proc/1/root/etc/passwd'))",
        value="ENOENT",
    ),
    Hostile(5, "own environment through /proc", _OPEN + "in_short(look('/proc/self/environ'))", value="ENOENT"),
    Hostile(
        6,
        "own memory through /proc",
        _OPEN + "in_short(look('/proc/self/mem') + look('/proc/self/maps') + look('/proc/thread-self/mem'))",
        value="ENOENT",
    ),
    Hostile(
        7,
        "memory and environment of the server and its client",
        """
pids = {@CLIENT_PID@, @VICTIM_PID@, *@SERVER_PIDS@, os.getppid(), *range(2, 64)} - {0, os.getpid()}
seen = set()
for pid in pids:
    for name in ('environ', 'mem', 'maps', 'fd/0', 'root/etc/passwd', 'cwd', 'task'):
        path = f'/proc/{pid}/{name}'
        seen.add(attempt(os.listdir, path) if name in ('cwd', 'task') else attempt(os.open, path, os.O_NONBLOCK))
in_short(seen)
""",
        value="ENOENT",
    ),
    Hostile(
        8,
        "write into a folder of the host",
        """
folder = @FOLDER@
in_short([
    attempt(open, folder + '/written', 'w'),
    attempt(os.mkdir, folder + '/made'),
    attempt(open, @SECRET_FILE@, 'r+'),
    attempt(os.truncate, @SECRET_FILE@, 0),
    attempt(os.unlink, @SECRET_FILE@),
    attempt(os.rename, @SECRET_FILE@, folder + '/renamed'),
    attempt(os.chmod, folder, 0o755),
    attempt(os.chmod, @SECRET_FILE@, 0o600),
    attempt(os.utime, @SECRET_FILE@, (1, 1)),
])
""",
        value="ENOENT",
    ),
    Hostile(
        9,
        "shared memory folder",
        """
in_short([
    attempt(lambda: open(@SHARED_MEMORY_FILE@).read()),
    attempt(open, '/dev/shm/written', 'w'),
    attempt(os.mkdir, '/dev/shm/made'),
    attempt(open, '/dev/mqueue/written', 'w'),
])
""",
        value="ENOENT",
    ),
    Hostile(
        10,
        "write into the interpreter and its packages",
        """
import sympy, sysconfig
places = {os.path.dirname(sympy.__file__), os.path.dirname(os.__file__), sys.prefix, sys.base_prefix}
places |= {'/usr', '/usr/lib', sysconfig.get_paths()['purelib'], '/lib64', '/', *sys.path}
places = {os.path.realpath(place) for place in places if os.path.isdir(place)} - {os.getcwd()}
made = [attempt(open, place + '/written', 'w') for place in places]
made += [attempt(os.mkdir, place + '/made') for place in places]
changed = [attempt(open, sympy.__file__, 'r+'), attempt(os.unlink, sympy.__file__)]
changed.append(attempt(os.chmod, os.__file__, 0o666))
f"{len(places) > 4} {in_short(made)} / {in_short(changed)}"
""",
        value="True EROFS / EACCES EROFS",
    ),
    Hostile(
        11,
        "scratch is empty and nothing outlives a run",
        _WRITE_EVERYWHERE + 'f\'{before} {"LEAK" if found else "nothing found"}, left {left > 0}\'',
        before=_WRITE_EVERYWHERE,
        value=r"\[\] nothing found, left True",
    ),
    Hostile(
        12,
        "symbolic and hard links out",
        """
os.symlink(@SECRET_FILE@, 'link')
os.symlink(@FOLDER@, 'folder')
os.symlink('/proc/1/root', 'root')
through = [
    attempt(lambda: open('link').read()),
    attempt(lambda: open('folder/secret').read()),
    attempt(open, 'folder/written', 'w'),
    attempt(os.listdir, 'root'),
]
hard = [attempt(os.link, @SECRET_FILE@, 'hard'), attempt(os.link, os.__file__, 'hard')]
f'{in_short(through)} / {in_short(hard)}'
""",
        value="ENOENT / ENOENT EXDEV",
    ),
    Hostile(
        13,
        "out by dot-dot, and what lies at the root",
        """
up = '../' * 40
tried = [attempt(lambda: open(up + @SECRET_FILE@[1:]).read()), attempt(os.listdir, up + @FOLDER@[1:])]
tried += [attempt(lambda: open(f'/proc/{name}/root' + @SECRET_FILE@).read()) for name in ('self', '1')]
try:
    names = os.listdir(up)
except OSError as error:
    names = [name_of(error)]
own = {path.split('/')[1] for path in (os.__file__, *sys.path) if path.startswith('/')}
own |= {'usr', 'lib', 'lib64', 'lib32', 'bin', 'sbin', 'proc', 'dev', 'etc', 'scratch', 'mathagent-code', 'EACCES'}
strange = sorted(set(names) - own)
f'{in_short(tried)} / ' + (f'LEAK({strange})' if strange else 'nothing strange')
""",
        value="ENOENT / nothing strange",
    ),
    Hostile(
        14,
        "links that the trusted side would follow",
        """
os.symlink(@SECRET_FILE@, 'link')
os.symlink(@FOLDER@, 'folder')
os.symlink('plain', 'inner')
os.mkdir('directory')
attempt(os.mkfifo, 'fifo')
open('plain', 'w').write('kept')
'made'
""",
        value="made",
        fetch=("link", "folder/secret", "inner", "directory", "fifo", "absent", "plain"),
        files={"plain": b"kept"},
    ),
    Hostile(
        15,
        "scratch of a run at the same time",
        """
open('mine', 'w').write('x')
found = []
for start in ('/', '/scratch', os.getcwd(), os.path.dirname(os.getcwd())):
    for top, folders, files in os.walk(start):
        if top.startswith(('/usr/', '/lib', sys.base_prefix)) or (top.startswith('/proc/') and top.count('/') > 3):
            folders.clear()
        found += [name for name in files if name in ('mine', 'of-another-run')]
for pid in range(1, 40):
    found += attempt(os.listdir, f'/proc/{pid}/cwd').count('of-another-run') * ['of-another-run']
found += [name for name in os.listdir() if name != 'mine']
'LEAK' if 'of-another-run' in found else f'only {set(found)}'
""",
        value=r"only \{'mine'\}",
        beside="""
import time
open('of-another-run', 'w').write('x')
time.sleep(1.5)
in_short(os.listdir())
""",
        beside_value="of-another-run",
    ),
)
