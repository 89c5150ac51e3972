"""46 to 66: memory, disk, descriptors, output and time."""

from __future__ import annotations

from mathagent.sandbox.base import Limits

from .entry import SHORT, Hostile

SMALL = Limits(timeout_s=20, cpu_s=20, memory_mb=256, output_bytes=1_000_000)
FLOOD = Limits(timeout_s=20, cpu_s=20, memory_mb=256, output_bytes=1_000_000)
_STOPPED = r"stopped: .*"

PROGRAMS = (
    Hostile(
        46,
        "memory bomb",
        """
kept = []
while len(kept) < 60:
    kept.append(b'x' * 10_000_000)
'LEAK(0.6 GB)'
""",
        status=("memory",),
        error="MemoryError|.*memory.*",
        limits=SMALL,
    ),
    Hostile(
        47,
        "huge values",
        """
size = 400_000_000
def make(action):
    try:
        return f'LEAK({len(action())})'
    except (MemoryError, OSError) as error:
        return name_of(error)
in_short(map(make, [
    lambda: 'x' * size,
    lambda: b'x' * size,
    lambda: bytearray(size),
    lambda: [0] * (size // 8),
    lambda: ' '.join(['x' * 1000] * (size // 1000)),
    lambda: (1 << size * 8).bit_length() and 'x' * size,
    lambda: __import__('numpy').ones(size // 8),
    lambda: mmap.mmap(-1, size),
]))
""",
        value="ENOMEM MemoryError",
        limits=SMALL,
    ),
    Hostile(
        48,
        "disk fill",
        """
written, verdict = 0, ''
try:
    for number in range(25):
        with open(f'file-{number}', 'wb') as file:
            written += file.write(b'x' * 8_000_000)
    verdict = f'LEAK({written})'
except OSError as error:
    verdict = f'{name_of(error)} after {written // 1_000_000} MB'
verdict
""",
        value=r"ENOSPC after 6[4-7] MB",
    ),
    Hostile(
        49,
        "inode fill",
        """
count, verdict = 0, ''
try:
    while count < 60_000:
        os.close(os.open(f'{count}', os.O_CREAT | os.O_WRONLY))
        count += 1
    verdict = f'LEAK({count} files)'
except OSError as error:
    verdict = f'{name_of(error)} {count > 100}'
verdict
""",
        value="ENOSPC True",
    ),
    Hostile(
        50,
        "descriptor exhaustion",
        """
opened, verdict = 0, ''
file = os.open('file', os.O_CREAT | os.O_RDWR)
try:
    while opened < 2000:
        opened = os.open('file', os.O_RDONLY) if opened % 2 else os.dup(file)
    verdict = f'LEAK({opened} descriptors)'
except OSError as error:
    verdict = f'{name_of(error)} after {opened}'
verdict
""",
        value=r"EMFILE after \d\d",
    ),
    Hostile(
        51,
        "memory behind descriptors",
        """
name = ctypes.c_char_p(b'x')
in_short([calls('memfd_create', name, 0), calls('memfd_secret', 0), attempt(os.memfd_create, 'x')])
""",
        value="EPERM",
    ),
    Hostile(
        52,
        "shared memory, semaphores and queues of System V",
        """
CREATE = 0o1666
in_short([
    calls('shmget', 0, 4096, CREATE), calls('semget', 0, 1, CREATE), calls('msgget', 0, CREATE),
    calls('shmget', @SHARED_MEMORY_KEY@, 0, 0o666), calls('shmget', 4711, 4096, CREATE),
])
""",
        value="EPERM",
    ),
    Hostile(
        53,
        "message queues of POSIX",
        "calls('mq_open', ctypes.c_char_p(b'queue'), os.O_CREAT | os.O_RDWR, 0o600, None)",
        value="EPERM",
    ),
    Hostile(
        54,
        "flood of stdout",
        "while True: os.write(1, b'x' * 65536)",
        status=("output-limit",),
        error=".*stdout.*",
        stdout="x{1000000}",
        limits=FLOOD,
    ),
    Hostile(
        55,
        "flood of stderr",
        "while True: os.write(2, b'x' * 65536)",
        status=("output-limit",),
        error=".*stderr.*",
        stdout="",
        limits=FLOOD,
    ),
    Hostile(
        56,
        "text of 50 MB as value and as output",
        """
class Long:
    def __repr__(self):
        return 'x' * 50_000_000
Long()
""",
        value=r"x{1,1000000}.{0,10}",
        limits=FLOOD,
        before="print('x' * 50_000_000)",
    ),
    Hostile(
        57,
        "flood of the result channel",
        "while True: os.write(3, b'x' * 65536)",
        status=("output-limit",),
        error=".*result channel.*",
        limits=FLOOD,
    ),
    Hostile(
        58,
        "sleep",
        "import time\ntry:\n    time.sleep(60)\nfinally:\n    time.sleep(60)\n'LEAK'",
        status=("timeout",),
        error=_STOPPED,
        limits=SHORT,
    ),
    Hostile(
        59,
        "busy loop",
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        status=("timeout",),
        error=".*CPU.*",
        limits=Limits(timeout_s=8, cpu_s=1),
    ),
    Hostile(
        60,
        "all signals ignored",
        """
import signal, time
for number in range(1, 65):
    attempt(signal.signal, number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
while True:
    time.sleep(1)
""",
        status=("timeout",),
        error=_STOPPED,
        limits=SHORT,
    ),
    Hostile(61, "hang in C", "len(str(3 ** (10 ** 9)))", status=("timeout",), error=_STOPPED, limits=SHORT),
    Hostile(
        62,
        "regular expression without end",
        "import re\nre.match('(a+)+$', 'a' * 40 + 'b')\n'LEAK'",
        status=("timeout",),
        error=_STOPPED,
        limits=SHORT,
    ),
    Hostile(
        63,
        "generator without end into a list",
        "import itertools\nlist(map(float, itertools.count()))\n'LEAK'",
        status=("memory",),
        error="MemoryError|.*memory.*",
        limits=Limits(timeout_s=20, cpu_s=20, memory_mb=128),
        dangerous_without=frozenset({"rlimits"}),
    ),
    Hostile(
        64,
        "stops itself",
        """
import signal
os.kill(os.getpid(), signal.SIGSTOP)
os.kill(os.getpid(), signal.SIGTSTP)
'went on'
""",
        value="went on",  # process 1 of a namespace cannot be stopped from within
        limits=SHORT,
    ),
    Hostile(
        65,
        "sparse file of 1 TB",
        """
file = os.open('sparse', os.O_CREAT | os.O_RDWR)
in_short([
    attempt(os.ftruncate, file, 10**12),
    attempt(os.posix_fallocate, file, 0, 10**12),
    attempt(os.pwrite, file, b'x', 10**12),
])
""",
        value="EFBIG",
    ),
    Hostile(
        66,
        "bombs of zip, integers and patterns",
        """
import gzip, re
member = gzip.compress(bytes(30_000_000), 1)
def unzip():
    return len(gzip.decompress(member * 12))
def pattern():
    return re.compile('(' * 20_000 + ')' * 20_000)
print(attempt(unzip), attempt(int, '9' * 10_000), attempt(pattern), flush=True)
sys.set_int_max_str_digits(0)
int('9' * 30_000_000)
'LEAK'
""",
        status=("timeout",),
        stdout=r"MemoryError ValueError (error|RecursionError|OverflowError|MemoryError|PatternError)\n",
        error=_STOPPED,
        limits=Limits(timeout_s=10, cpu_s=3, memory_mb=256),
    ),
)
