"""67 to 85: calls into the kernel that no mathematics needs."""

from __future__ import annotations

from .entry import Hostile

SIGSYS = 31

PROGRAMS = (
    Hostile(
        67,
        "mount",
        """
text = ctypes.c_char_p
MS_BIND, MS_REMOUNT, AT_FDCWD = 4096, 32, -100
in_short([
    calls('mount', text(b'none'), text(b'.'), text(b'tmpfs'), 0, None),
    calls('mount', text(b'/usr'), text(b'.'), None, MS_BIND, None),
    calls('mount', None, text(b'/usr'), None, MS_BIND | MS_REMOUNT, None),
    calls('umount2', text(b'/proc'), 2),
    calls('umount2', text(b'.'), 2),
    calls('pivot_root', text(b'.'), text(b'.')),
    calls('fsopen', text(b'tmpfs'), 0),
    calls('open_tree', AT_FDCWD, text(b'/'), 1),
    calls('move_mount', AT_FDCWD, text(b'.'), AT_FDCWD, text(b'.'), 0),
    calls('mount_setattr', AT_FDCWD, text(b'/'), 0, ctypes.create_string_buffer(32), 32),
])
""",
        value="EPERM",
    ),
    Hostile(
        68,
        "chroot",
        """
os.mkdir('root')
in_short([attempt(os.chroot, 'root'), attempt(os.chroot, '/'), calls('chroot', ctypes.c_char_p(b'root'))])
""",
        value="EPERM",
    ),
    Hostile(
        69,
        "namespaces of one's own",
        """
flags = {'user': 1 << 28, 'mount': 1 << 17, 'pid': 1 << 29, 'net': 1 << 30, 'ipc': 1 << 27, 'uts': 1 << 26,
         'cgroup': 1 << 25, 'time': 1 << 7}
in_short([*(calls('unshare', flag) for flag in flags.values()), calls('unshare', flags['user'] | flags['net'])])
""",
        value="EPERM",
    ),
    Hostile(
        70,
        "clone into a user namespace",
        """
NEWUSER, NEWNS, SIGCHLD = 1 << 28, 1 << 17, 17
flags = (NEWUSER, NEWUSER | NEWNS, NEWNS, 1 << 30)
in_short(attempt(lambda: child(call('clone', flag | SIGCHLD, 0, 0, 0, 0))) for flag in flags)
""",
        value="EPERM",
    ),
    Hostile(
        71,
        "clone3",
        """
def clone3(flags, size=64):
    arguments = (ctypes.c_uint64 * 11)(flags, 0, 0, 0, 17)
    return attempt(lambda: child(call('clone3', ctypes.byref(arguments), size)))
in_short([clone3(0), clone3(1 << 28), clone3(1 << 28, 88)])
""",
        value="ENOSYS",
    ),
    Hostile(
        72,
        "enter namespaces of others",
        "in_short(calls('setns', fd, kind) for fd in range(-1, 5) for kind in (0, 1 << 17, 1 << 28, 1 << 30))",
        value="EPERM",
    ),
    Hostile(
        73,
        "io_uring",
        """
parameters = ctypes.create_string_buffer(120)
in_short([
    calls('io_uring_setup', 4, parameters),
    calls('io_uring_enter', 3, 1, 0, 0, None, 0),
    calls('io_uring_register', 3, 0, None, 0),
])
""",
        value="EPERM",
    ),
    Hostile(
        74,
        "keys of the kernel",
        """
text, SESSION, USER = ctypes.c_char_p, -3, -4
in_short([
    calls('keyctl', 0, SESSION, 1),
    calls('keyctl', 1, None),
    calls('keyctl', 0, USER, 1),
    calls('add_key', text(b'user'), text(b'name'), text(b'x'), 1, SESSION),
    calls('request_key', text(b'user'), text(b'name'), None, SESSION),
])
""",
        value="EPERM",
    ),
    Hostile(
        75,
        "bpf",
        """
attributes = (ctypes.c_uint32 * 32)(2, 4, 8, 1)
in_short(calls('bpf', command, ctypes.byref(attributes), 128) for command in (0, 5, 7))
""",
        value="EPERM",
    ),
    Hostile(76, "userfaultfd", "in_short([calls('userfaultfd', 0), calls('userfaultfd', 1)])", value="EPERM"),
    Hostile(
        77,
        "performance counters",
        """
attributes = (ctypes.c_uint32 * 32)(1, 128)
in_short(calls('perf_event_open', ctypes.byref(attributes), pid, -1, -1, 0) for pid in (0, -1))
""",
        value="EPERM",
    ),
    Hostile(
        78,
        "x32 calls",
        """
try:
    verdict = f'LEAK({raw(0x40000000 | 39)})'
except OSError as error:
    verdict = name_of(error)
verdict
""",
        status=("crashed",),
        signal=(SIGSYS,),
        machines=("x86_64",),
    ),
    Hostile(
        79,
        "int 0x80",
        """
# mov eax, 20 (getpid of i386); int 0x80; ret
got = run_machine_code(bytes.fromhex('b814000000 cd80 c3'))
f'LEAK({got})' if got >= 0 else os.strerror(-got)
""",
        status=("crashed",),
        signal=(SIGSYS,),
        machines=("x86_64",),
    ),
    Hostile(
        80,
        "become another user",
        """
groups = (ctypes.c_uint32 * 1)(0)
in_short([
    calls('setuid', 0), calls('setgid', 0), calls('setresuid', 0, 0, 0), calls('setgroups', 1, groups),
    attempt(os.setgroups, []), calls('setuid', 1), calls('setgid', 65534),
])
""",
        value="EPERM",
    ),
    Hostile(
        81,
        "raise the limits",
        """
import resource
names = ('AS', 'CPU', 'FSIZE', 'NOFILE', 'NPROC', 'CORE', 'MEMLOCK', 'MSGQUEUE')
open_ended = [name for name in names if resource.getrlimit(getattr(resource, 'RLIMIT_' + name))[1] in (-1, 1 << 40)]
tried = []
for name in names:
    number = getattr(resource, 'RLIMIT_' + name)
    hard = resource.getrlimit(number)[1]
    wanted = (ctypes.c_uint64 * 2)(hard + 4096, hard + 4096)
    if hard >= 0:
        tried += [calls('prlimit64', 0, number, wanted, None), calls('prlimit64', os.getppid(), number, wanted, None)]
soft = all(len(set(resource.getrlimit(getattr(resource, 'RLIMIT_' + name)))) == 1 for name in ('CPU', 'AS', 'CORE'))
f'LEAK({open_ended})' if open_ended else f'{in_short(tried)} {soft} {resource.getrlimit(resource.RLIMIT_CORE)}'
""",
        value=r"EPERM True \(0, 0\)",
    ),
    Hostile(
        82,
        "undo the filter",
        """
SET_SECCOMP, SET_NO_NEW_PRIVS, CAPBSET_DROP, SET_DUMPABLE = 22, 38, 24, 4
class Program(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('filter', ctypes.c_void_p)]
allow = (ctypes.c_uint64 * 1)(0x7FFF000000000006)
program = Program(1, ctypes.addressof(allow))
tried = [
    calls('prctl', SET_SECCOMP, 0, 0, 0, 0),
    calls('prctl', SET_NO_NEW_PRIVS, 0, 0, 0, 0),
]
filters = calls('prctl', SET_SECCOMP, 2, ctypes.byref(program), 0, 0), calls('seccomp', 1, 0, ctypes.byref(program))
more = in_short(filters)
after = in_short([attempt(lambda: child(os.fork())), calls('keyctl', 0, -3, 1), calls('unshare', 1 << 28)])
f"{in_short(tried)} / {more.replace('LEAK(0)', 'stacked')} / {after}"
""",
        value="EPERM / EPERM / EPERM",
    ),
    Hostile(
        83,
        "devices",
        """
import glob
names = ['mem', 'kmem', 'port', 'kmsg', 'kvm', 'vda', 'sda', 'nvme0n1', 'loop0', 'fuse', 'net/tun', 'tty', 'ptmx',
         'pts/ptmx', 'console', 'tty0', 'vcs', 'hwrng', 'vsock', 'vhost-net', 'nvidiactl', 'nvidia0', 'dri/card0',
         'mapper/control', 'loop-control', 'btrfs-control', 'uinput', 'snapshot', 'watchdog']
tries = [(name, flags) for name in names for flags in (os.O_RDWR, os.O_RDONLY)]
tried = [attempt(os.open, '/dev/' + name, flags) for name, flags in tries]
S_IFCHR, S_IFBLK = 0o020000, 0o060000
made = [attempt(os.mknod, 'device', kind | 0o666, os.makedev(1, 1)) for kind in (S_IFCHR, S_IFBLK)]
f'{in_short(tried)} / {in_short(made)}'
""",
        value="ENOENT / EPERM",
    ),
    Hostile(
        84,
        "folders of the host",
        """
folders = ['/sys', '/sys/class', '/home', '/root', '/var', '/var/log', '/run', '/boot', '/mnt', '/opt', '/srv',
           '/etc', '/etc/ssl', '/work', '/media', '/sys/fs/cgroup', '/proc/sys', '/proc/1',
           os.path.dirname(@FOLDER@), @CHECKOUT@]
own = {part for path in (os.__file__, sys.base_prefix, *sys.path) for part in path.split('/')} | {'ld.so.cache'}
def look(folder):
    try:
        strange = sorted(set(os.listdir(folder)) - own)
    except OSError as error:
        return name_of(error)
    return f'LEAK({folder}: {strange[:3]})' if strange else 'way-to-python'
in_short(map(look, folders))
""",
        value="EACCES ENOENT",
    ),
    Hostile(
        85,
        "segments, personality, typing into the terminal",
        """
import fcntl
TIOCSTI, TIOCLINUX, READ_IMPLIES_EXEC, NO_RANDOMIZE = 0x5412, 0x541C, 0x0400000, 0x0040000
old = [calls('modify_ldt', kind, ctypes.create_string_buffer(16), 16) for kind in (0, 1)] if ON_X86 else []
tried = [*old, *(calls('personality', flag) for flag in (READ_IMPLIES_EXEC, NO_RANDOMIZE, 8))]
tried += [attempt(fcntl.ioctl, fd, request, b'x') for fd in range(4) for request in (TIOCSTI, TIOCLINUX)]
me = os.getpid()
tried += [calls('kcmp', me, me, 0, 0, 1), calls('kexec_load', 0, 0, None, 0)]
handle = ctypes.create_string_buffer(136)
tried += [calls('open_by_handle_at', 0, handle, 0)]
in_short(tried)
""",
        value="EPERM",
    ),
)
