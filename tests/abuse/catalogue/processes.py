"""32 to 45: other processes, and processes of one's own.

Signals sent are SIGURG, which everybody ignores who did not ask for it: the victim did, and dies of it.
"""

from __future__ import annotations

from mathagent.sandbox.base import Limits

from .entry import Hostile

_TARGETS = """
SIGURG = 23
others = {@CLIENT_PID@, @VICTIM_PID@, *@SERVER_PIDS@, os.getppid(), *range(2, 64)} - {0, os.getpid()}
"""

_LISTENER = """
import signal, time
heard = []
signal.signal(signal.SIGURG, lambda *_: heard.append(1))
end = time.monotonic() + 1.5
while time.monotonic() < end:
    time.sleep(0.05)
'LEAK(signalled)' if heard else 'undisturbed'
"""

_FORK_AND_COUNT = """
import time
count = 0
reason = ''
while count < 300 and not reason:
    try:
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
        count += 1
    except OSError as error:
        reason = name_of(error)
f'{count} {reason}' if reason else f'LEAK({count} children)'
"""

PROGRAMS = (
    Hostile(
        32,
        "trace the parent, the server, the victim",
        _TARGETS
        + """
SEIZE, TRACEME = 0x4206, 0  # seizing does not stop the other, as attaching would
tried = [calls('ptrace', SEIZE, pid, 0, 0) for pid in others]
in_short([*tried, calls('ptrace', TRACEME, 0, 0, 0)])
""",
        value="EPERM",
    ),
    Hostile(
        33,
        "read and write memory of others",
        _TARGETS
        + """
class Part(ctypes.Structure):
    _fields_ = [('base', ctypes.c_void_p), ('length', ctypes.c_size_t)]
buffer = ctypes.create_string_buffer(8)
part = Part(ctypes.addressof(buffer), 8)
arguments = ctypes.byref(part), 1, ctypes.byref(part), 1, 0
in_short(calls(name, pid, *arguments) for name in ('process_vm_readv', 'process_vm_writev') for pid in others)
""",
        value="EPERM",
    ),
    Hostile(
        34,
        "signal the parent, the server, the victim",
        _TARGETS
        + """
groups = others - {1}  # "group 1" would be everybody: the next program
tried = [attempt(os.kill, pid, SIGURG) for pid in others] + [attempt(os.killpg, pid, SIGURG) for pid in groups]
in_short(tried)
""",
        value="ESRCH",
    ),
    Hostile(
        35,
        "signal everything",
        # where there are others, the kernel says yes even if it refused each of them: listeners tell
        "attempt(os.kill, -1, 23).replace('LEAK(None)', 'sent')",
        value="ESRCH",
        beside=_LISTENER,
        beside_value="undisturbed",
    ),
    Hostile(
        36,
        "signal the own process group",
        """
import signal
heard = []
signal.signal(signal.SIGURG, lambda *_: heard.append(1))
in_short(['tried', *(attempt(os.kill, 0, 23) for _ in range(3)), *(attempt(os.killpg, 0, 23) for _ in range(3))]
    ).replace('LEAK(None)', 'sent')
""",
        value="sent tried",
        beside=_LISTENER,
        beside_value="undisturbed",
    ),
    Hostile(
        37,
        "handles on processes",
        _TARGETS
        + """
opened = [calls('pidfd_open', pid, 0) for pid in others]
copied = [calls('pidfd_getfd', fd, 0, 0) for fd in range(8)]
sent = [calls('pidfd_send_signal', fd, SIGURG, None, 0) for fd in range(8)]
f'{in_short(opened)} / {in_short(copied)} / {in_short(sent)}'
""",
        value="EPERM / EPERM / EPERM",
    ),
    Hostile(
        38,
        "fork",
        """
SIGCHLD = 17
in_short([
    attempt(lambda: child(os.fork())),
    attempt(lambda: child(os.forkpty()[0])),
    attempt(lambda: child(call('clone', SIGCHLD, 0, 0, 0, 0))),
    *([attempt(lambda: child(raw(57)))] if ON_X86 else []),
])
""",
        value="ENOENT EPERM",
    ),
    Hostile(
        39,
        "vfork",
        """
CLONE_VFORK, SIGCHLD = 0x4000, 17
# pop rdx; mov eax, 58; syscall; test eax, eax; jnz parent; xor edi, edi; mov eax, 231; syscall; parent: push rdx; ret
VFORK = bytes.fromhex('5a b83a000000 0f05 85c0 750b 31ff b8e7000000 0f05 9090 52 c3')
def vfork():
    got = run_machine_code(VFORK)
    if got < 0:
        raise OSError(-got, 'vfork')
    return got
tried = [attempt(lambda: child(call('clone', CLONE_VFORK | SIGCHLD, 0, 0, 0, 0)))]
in_short(tried + ([attempt(vfork)] if ON_X86 else []))
""",
        value="EPERM",
    ),
    Hostile(
        40,
        "start other programs",
        """
import multiprocessing, subprocess
def pool():
    process = multiprocessing.get_context('fork').Process(target=print)
    process.start()
    process.join()
    return process.exitcode

def spawn():
    status = os.waitpid(os.spawnv(os.P_NOWAIT, '/bin/sh', ['sh', '-c', 'echo LEAK']), 0)[1]
    if status:
        raise OSError(1, 'not run')

system = os.system('echo LEAK')
tried = [
    attempt(lambda: subprocess.run([sys.executable, '-c', 'print("LEAK")'])),
    attempt(lambda: subprocess.run('echo LEAK', shell=True)),
    attempt(lambda: os.posix_spawn('/bin/sh', ['sh', '-c', 'echo LEAK'], {})),
    attempt(spawn),
    attempt(pool),
]
f'{in_short(tried)} / {system}'
""",
        value="EPERM / (32512|-1)",
        stdout="",
    ),
    Hostile(
        41,
        "become another program",
        """
say = ['-c', 'print("LEAK")']
with open('script', 'w') as file:
    file.write('#!/bin/sh\\necho LEAK\\n')
os.chmod('script', 0o755)
AT_EMPTY_PATH = 0x1000
path = ctypes.c_char_p(os.path.realpath(sys.executable).encode())
argv = (ctypes.c_char_p * 4)(path.value, b'-c', b'print("LEAK")', None)
script = os.open('script', os.O_RDONLY)
found = [path for path in (os.path.realpath(sys.executable), '/bin/sh', '/usr/bin/env') if os.path.exists(path)]
tried = [attempt(os.execve, path, [path, *say], {}) for path in [*found, os.path.abspath('script')]]
tried.append(calls('execveat', -100, path, argv, None, 0))
tried.append(calls('execveat', script, ctypes.c_char_p(b''), argv, None, AT_EMPTY_PATH))
f'{len(found) > 0} {in_short(tried)}'
""",
        value="True EPERM",
        stdout="",
    ),
    Hostile(
        42,
        "daemon by double fork",
        """
import time
def daemon():
    if os.fork() == 0:
        attempt(os.setsid)
        if os.fork() == 0:
            time.sleep(60)
        os._exit(0)
attempt(daemon)
""",
        value="EPERM",
    ),
    Hostile(
        43,
        "thread bomb",
        """
import threading, time
threads = []
try:
    while len(threads) < 1000:
        threads.append(threading.Thread(target=time.sleep, args=(60,), daemon=True))
        threads[-1].start()
    verdict = f'LEAK({len(threads)} threads)'
except (RuntimeError, MemoryError) as error:
    verdict = f'{type(error).__name__} at {len(threads)}'
verdict
""",
        value=r"(RuntimeError|MemoryError) at \d\d?",
    ),
    Hostile(
        44,
        "fork bomb in a session",
        _FORK_AND_COUNT,
        value=r"\d\d EAGAIN",
        cell=True,
    ),
    Hostile(
        45,
        "daemon in a session",
        """
import time
def daemon():
    if os.fork() == 0:
        attempt(os.setsid)
        if os.fork() == 0:
            for fd in range(3):
                attempt(os.close, fd)
            time.sleep(60)
        os._exit(0)
attempt(daemon).replace('LEAK(None)', 'started')
""",
        value="started",
        limits=Limits(timeout_s=5, cpu_s=5, memory_mb=256),
        cell=True,
    ),
)
