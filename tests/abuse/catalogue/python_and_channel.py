"""86 to 106: tricks within Python, and lies on the channels to the trusted side. 107 to 109 are in test_abuse."""

from __future__ import annotations

from mathagent.sandbox.base import Limits

from .entry import SHORT, Hostile

SIGABRT, SIGSEGV = 6, 11

PROGRAMS = (
    Hostile(
        86,
        "subclasses down to os.system",
        """
wrapped = next(kind for kind in ().__class__.__base__.__subclasses__() if kind.__name__ == '_wrap_close')
system = wrapped.__init__.__globals__['system']
returned = system('echo LEAK; echo LEAK > ' + @FOLDER@ + '/written')
f'returned {returned}'
""",
        value=r"returned (32512|-1)",
        stdout="",
    ),
    Hostile(
        87,
        "sympify and lambdify to the system",
        """
import sympy
system = '__import__("os").system("echo LEAK > " + ' + repr(@FOLDER@ + '/written') + ')'
read = 'open(' + repr(@SECRET_FILE@) + ').read()'
tried = [attempt(sympy.sympify, read), attempt(sympy.lambdify([], read)), attempt(sympy.parse_expr, read)]
f'{in_short(tried)} / {sympy.sympify(system)} {sympy.lambdify([], system)()}'
""",
        value=r"(ENOENT|ENOENT SympifyError|SympifyError) / (32512|-1) (32512|-1)",
        stdout="",
    ),
    Hostile(
        88,
        "forged result",
        """
forged = b'{"status": "timeout", "wall_s": -1, "cpu_s": 0, "sandbox": "LEAK", "files": {"a": "eA=="}}'
attempt(os.write, 3, forged)
'true value'
""",
        status=("ok", "error"),
        value="(true value)?",
    ),
    Hostile(
        89,
        "json and builtins replaced",
        """
import builtins, json
json.dumps = json.loads = json.encoder.encode_basestring_ascii = lambda *a, **k: '{"status": "ok", "value": "LEAK"}'
sys.stdout = sys.stderr = None
os.write = os._exit = os.close = os.read = lambda *a, **k: 0
builtins.print = builtins.str = builtins.len = builtins.repr = builtins.open = None
'kept'
""",
        status=("ok", "error"),
        value="(kept)?",
    ),
    Hostile(
        90,
        "pickle bomb on the result channel",
        """
import pickle
class Bomb:
    def __reduce__(self):
        return os.system, ('echo LEAK > ' + @FOLDER@ + '/written',)
for protocol in range(6):
    attempt(os.write, 3, pickle.dumps(Bomb(), protocol))
os._exit(0)
""",
        status=("error",),
        value="",
        error=".*(result|exit code 0).*",
    ),
    Hostile(91, "os._exit(7)", "os._exit(7)", status=("error",), error=".*exit code 7.*"),
    Hostile(92, "sys.exit(3)", "sys.exit(3)", status=("error",), error="SystemExit: 3"),
    Hostile(
        93,
        "segmentation fault",
        "print('before', flush=True)\nctypes.string_at(0)\n'LEAK'",
        status=("crashed",),
        signal=(SIGSEGV,),
        stdout="before\n",
    ),
    Hostile(
        94,
        "abort",
        "print('before', flush=True)\nos.abort()\n'LEAK'",
        status=("crashed",),
        signal=(SIGABRT, SIGSEGV),
        stdout="before\n",
    ),
    Hostile(
        95,
        "descriptors 1 to 3 closed",
        "for fd in (1, 2, 3):\n    attempt(os.close, fd)\nattempt(print, 'x')\n'lost'",
        status=("error", "ok"),
        value="(lost)?",
        stdout="",
    ),
    Hostile(
        96,
        "bytes that are no text",
        r"""
os.write(1, b'\xff\xfe\n')
print(chr(0xdc80), chr(0xd800))
'\ud800'
""",
        value=r"\\ud800",
        stdout=r"��\n\\udc80 \\ud800\n",
    ),
    Hostile(
        97,
        "nan and infinity",
        "(float('nan'), float('inf'), -float('inf'), complex('nan+infj'))",
        value=r"\(nan, inf, -inf, \(nan\+infj\)\)",
        before='attempt(os.write, 3, b\'{"status": "ok", "value": NaN}\')\nos._exit(0)',
    ),
    Hostile(
        98,
        "deep recursion",
        "def deep(): return deep() + 1\ndeep()",
        status=("error",),
        error="RecursionError: .*",
    ),
    Hostile(
        99,
        "recursion without limit",
        "sys.setrecursionlimit(10**9)\ndef deep(): return [deep()]\ndeep()\n'LEAK'",
        status=("memory", "crashed", "error", "timeout"),
        limits=Limits(timeout_s=2, cpu_s=5, memory_mb=512),
    ),
    Hostile(
        100,
        "nested parentheses and lists",
        """
def nested():
    return eval('(' * 5000 + ')' * 5000)
def text():
    x = []
    for _ in range(10**6):
        x = [x]
    sys.setrecursionlimit(10**9)
    return len(repr(x))
print(attempt(nested), flush=True)
text()
'survived'
""",
        status=("error", "crashed", "memory", "ok"),
        value="(survived)?",
        stdout=r"(SyntaxError|MemoryError|RecursionError)\n",
    ),
    Hostile(
        101,
        "integer of 5000 digits",
        "print(10**5000)",
        status=("error",),
        error=r"ValueError: Exceeds the limit \(4300.*",
    ),
    Hostile(102, "input", "input()", status=("error",), error="EOFError: EOF when reading a line"),
    Hostile(
        103,
        "exit functions, finalizers and threads after the end",
        """
import atexit, threading, time
def forever():
    time.sleep(1)
    while True:
        os.write(1, b'LEAK(after the end)')
class Last:
    def __del__(self):
        forever()
kept = Last()
atexit.register(forever)
threading.Thread(target=forever).start()
threading.Thread(target=forever, daemon=True).start()
'end'
""",
        value="end",
        stdout="",
    ),
    Hostile(
        104,
        "result, then no end",
        'attempt(os.write, 3, b\'{"status": "ok", "value": "LEAK"}\\n\')\nwhile True: pass',
        status=("timeout",),
        value="",
        error="stopped: .*",
        limits=SHORT,
    ),
    Hostile(
        105,
        "escape sequences in the output",
        r"""
text = '\x1b]0;title\x07\x1b[2Jred\x00' + chr(0x202e) + 'abc' + chr(0x9b) + '1m\r\n'
print(text)
raise ValueError(text)
""",
        status=("error",),
        stdout="\x1b\\]0;title\x07\x1b\\[2Jred\x00\u202eabc\x9b1m\r?\n\n",
        shown=r"red\\x00\\u202eabc\n\n",
    ),
    Hostile(
        106,
        "modules poisoned for the next run",
        """
import builtins, json, sympy
x = sympy.Symbol('x')
import __main__
f"{sympy.solve(2 * x - 4)} {hasattr(builtins, 'left')} {hasattr(__main__, 'left')} {len('abc')} {json.dumps([1])}"
""",
        before="""
import builtins, json, sympy, __main__
builtins.left = __main__.left = sys.modules['left'] = 'LEAK'
sympy.solve = sympy.Symbol = json.dumps = lambda *a, **k: 'LEAK'
sys.modules['math'] = sys.modules['json'] = None
sys.path.insert(0, os.getcwd())
sys.meta_path.clear()
builtins.len = builtins.__import__ = lambda *a, **k: 'LEAK'
'poisoned'
""",
        value=r"\[2\] False False 3 \[1\]",
    ),
)
