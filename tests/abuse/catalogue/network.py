"""23 to 31: sockets of every kind. The listeners are real, and the test sees who came."""

from __future__ import annotations

from .entry import Hostile

_STEPS = """
import socket
def steps(kind, address, family=socket.AF_INET, data=b'LEAK', flags=0):
    # the first step that is refused: "socket=EPERM"
    step = 'socket'
    try:
        with socket.socket(family, kind) as s:
            s.settimeout(1)
            if kind == socket.SOCK_DGRAM or flags:
                step = 'send'
                s.sendto(data, flags, address)
            else:
                step = 'connect'
                s.connect(address)
                s.send(data)
        # a datagram may be sent to nobody: whether it came is the listener's to say
        return 'sent' if family == socket.AF_INET and kind == socket.SOCK_DGRAM else 'LEAK(sent)'
    except OSError as error:
        return f'{step}={name_of(error)}'

def by_pair(address):
    # a socket that one is allowed to have, turned to somebody else
    tried = []
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        try:
            first, second = socket.socketpair(socket.AF_UNIX, kind)
        except OSError as error:
            tried.append(f'pair={name_of(error)}')
            continue
        tried.append(attempt(first.sendto, b'LEAK', address))
        tried.append(attempt(first.sendmsg, [b'LEAK'], [], 0, address))
        tried.append(attempt(second.connect, address))
    return in_short(tried)
"""

PROGRAMS = (
    Hostile(
        23,
        "tcp to 127.0.0.1",
        _STEPS
        + """
v6 = steps(socket.SOCK_STREAM, ('::1', @TCP_PORT@), socket.AF_INET6)
in_short([steps(socket.SOCK_STREAM, ('127.0.0.1', @TCP_PORT@)), v6, steps(socket.SOCK_STREAM, ('0.0.0.0', @TCP_PORT@))])
""",
        value="socket=EPERM",
    ),
    Hostile(
        24,
        "tcp to another address",
        _STEPS
        + """
in_short([steps(socket.SOCK_STREAM, (address, @TCP_PORT@)) for address in (@OUTER_ADDRESS@, '192.0.2.77')])
""",
        value="socket=EPERM",
    ),
    Hostile(
        25,
        "names by dns",
        _STEPS
        + r"""
query = b'\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x01\0\x01'
def resolve(name):
    try:
        return f'LEAK({socket.getaddrinfo(name, 80)!r:.50})'
    except socket.gaierror as error:
        return next(name for name in dir(socket) if name.startswith('EAI_') and getattr(socket, name) == error.errno)
resolve('example.com') + ' ' + steps(socket.SOCK_DGRAM, (@OUTER_ADDRESS@, @UDP_PORT@), data=query)
""",
        value=r"EAI_\w+ socket=EPERM",
    ),
    Hostile(
        26,
        "udp",
        _STEPS
        + """
in_short(steps(socket.SOCK_DGRAM, (address, @UDP_PORT@)) for address in ('127.0.0.1', @OUTER_ADDRESS@))
""",
        value="socket=EPERM",
    ),
    Hostile(
        27,
        "abstract unix socket",
        _STEPS
        + """
made = [steps(kind, address, socket.AF_UNIX) for kind, address in (
    (socket.SOCK_STREAM, @ABSTRACT_STREAM@), (socket.SOCK_DGRAM, @ABSTRACT_DATAGRAM@))]
in_short(made) + ' / ' + by_pair(@ABSTRACT_DATAGRAM@)
""",
        value="socket=EPERM / EISCONN EPERM pair=EPERM",
    ),
    Hostile(
        28,
        "unix socket in a folder",
        _STEPS
        + """
made = [steps(kind, address, socket.AF_UNIX) for kind, address in (
    (socket.SOCK_STREAM, @STREAM_SOCKET@), (socket.SOCK_DGRAM, @DATAGRAM_SOCKET@))]
in_short(made) + ' / ' + by_pair(@DATAGRAM_SOCKET@)
""",
        value="socket=EPERM / EISCONN EPERM pair=EPERM",
    ),
    Hostile(
        29,
        "vsock, netlink, packet and other families",
        """
import socket
families = {'vsock': 40, 'netlink': 16, 'packet': 17, 'alg': 38, 'bluetooth': 31, 'can': 29, 'xdp': 44, 'key': 15,
            'rds': 21, 'tipc': 30, 'qipcrtr': 42, 'inet': 2, 'inet6': 10, 'unix': 1}
made = [attempt(lambda: socket.socket(family, kind).close())
        for family in families.values() for kind in (1, 2, 3, 5)]
pairs = [attempt(lambda: socket.socketpair(family, 1)) for family in families.values() if family != 1]
f'{in_short(made)} / {in_short(pairs)}'
""",
        value="EPERM / EPERM",
    ),
    Hostile(
        30,
        "tcp fast open",
        _STEPS
        + """
MSG_FASTOPEN = 0x20000000
alone = steps(socket.SOCK_STREAM, ('127.0.0.1', @TCP_PORT@), flags=MSG_FASTOPEN)
pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
by_message = attempt(lambda: pair[0].sendmsg([b'LEAK'], [], MSG_FASTOPEN, @ABSTRACT_STREAM@))
by_sendto = attempt(lambda: pair[1].sendto(b'LEAK', MSG_FASTOPEN, @ABSTRACT_STREAM@))
f'{alone} / {in_short([by_message, by_sendto])}'
""",
        value="socket=EPERM / EISCONN",
    ),
    Hostile(
        31,
        "from one run to another",
        _STEPS
        + """
tries = [steps(socket.SOCK_STREAM, ('127.0.0.1', @FREE_PORT@))]
tries.append(steps(socket.SOCK_DGRAM, @MEETING_NAME@, socket.AF_UNIX))
in_short(tries) + ' / ' + by_pair(@MEETING_NAME@)
""",
        value="socket=EPERM / EISCONN EPERM pair=EPERM",
        beside="""
import socket, time
def listen():
    server = socket.create_server(('127.0.0.1', @FREE_PORT@))
    server.settimeout(1.5)
    return server.accept()[1]

def receive(make):
    s = make()
    s.bind(@MEETING_NAME@)
    s.settimeout(1.5)
    return s.recv(10)

tried = [
    attempt(listen),
    attempt(receive, lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)),
    attempt(receive, lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0]),
]
time.sleep(1.5)
' '.join(tried)
""",
        beside_value="EPERM EPERM EPERM",
    ),
)
