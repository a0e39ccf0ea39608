"""Owns what code in a workspace tries in order to get out: each attempt says THROUGH where it does. Judges nothing.

What `{home}`, `{other}`, `{port}`, `{port6}`, `{datagram}`, `{socket}`, `{abstract}` and `{victim}` stand for is of the
machine outside. None does harm where it gets through: it opens, asks or makes what is nobody's.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

PRELUDE = textwrap.dedent("""
    import ctypes, errno, fcntl, glob, os, resource, signal, socket, stat, struct, sys, time
    libc = ctypes.CDLL(None, use_errno=True)
    def attempt(deed):
        try:
            found = deed()
        except (OSError, ValueError) as error:
            print("HELD", type(error).__name__, error)
        else:
            print("HELD" if found is False else "THROUGH", found)
    def taken(number, *words):
        # Whether the kernel looks at a call at all: what it then thinks of the words is another matter.
        return libc.syscall(number, *words) >= 0 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS)
    def opens(path, flags=os.O_RDONLY):
        os.close(os.open(path, flags))
    def anything(paths, deed):
        for path in paths:
            try:
                if deed(path) is not False:
                    return path
            except OSError:
                continue
        return False
""")


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One way out.

    Attributes:
        deed: a Python expression, which gives False or raises where it is held.
        has_teeth: whether it gets through where there are no walls, for root on a usual machine.
    """

    name: str
    deed: str
    has_teeth: bool = True

    @property
    def code(self) -> str:
        """What a cell, or a program, is to be."""
        return f"{PRELUDE}\nattempt(lambda: {self.deed})\n"


def _reading() -> Iterator[Attempt]:
    yield Attempt(name="database-by-path", deed="open('{home}/paddock.db').read()")
    yield Attempt(name="keys-by-path", deed="open('{home}/keys.secret').read()")
    yield Attempt(name="home-listed", deed="os.listdir('{home}')")
    yield Attempt(name="other-chat-by-path", deed="open('{other}/files/secret.txt').read()")
    yield Attempt(name="other-chat-by-dots", deed="open('../../other/files/secret.txt').read()")
    yield Attempt(
        name="other-chat-by-symlink",
        deed="[os.path.lexists('soft') or os.symlink('{other}/files/secret.txt', 'soft'), open('soft').read()]",
    )
    yield Attempt(
        name="other-chat-by-hard-link",
        deed="[os.path.lexists('hard') or os.link('{other}/files/secret.txt', 'hard'), open('hard').read()]",
    )
    yield Attempt(name="other-chat-by-renaming", deed="os.rename('{other}/files/spare.txt', 'spare.txt')")
    yield Attempt(
        name="home-by-roots-of-processes",
        deed="anything(glob.glob('/proc/[0-9]*/root'), lambda one: open(one + '{home}/keys.secret').close())",
    )
    yield Attempt(
        name="home-by-folders-of-processes",
        deed="anything(glob.glob('/proc/[0-9]*/cwd'), lambda one: opens(one + '/keys.secret'))",
    )
    yield Attempt(
        name="home-by-descriptors-of-processes",
        deed="anything(glob.glob('/proc/[0-9]*/fd/*'), lambda one: os.readlink(one).startswith('{home}'))",
    )
    yield Attempt(
        name="descriptors-left-open",
        deed="anything(map(str, range(3, 256)), lambda one: stat.S_ISREG(os.fstat(int(one)).st_mode))",
        has_teeth=False,
    )
    yield Attempt(name="shadow-of-the-machine", deed="open('/etc/shadow').read()")
    yield Attempt(name="users-of-the-machine", deed="'root:' in open('/etc/passwd').read()")
    yield Attempt(name="state-of-the-machine", deed="os.listdir('/var/lib')")
    yield Attempt(name="sockets-of-services", deed="set(os.listdir('/run')) - {{'interpreter.py'}} or False")
    yield Attempt(name="devices-by-sys", deed="os.listdir('/sys/class')")
    yield Attempt(name="name-servers", deed="open('/etc/resolv.conf').read()")


def _processes() -> Iterator[Attempt]:
    yield Attempt(
        name="environments-of-processes",
        deed="anything(glob.glob('/proc/[0-9]*/environ'), lambda one: b'hidden-' b'in-env' in open(one, 'rb').read())",
    )
    yield Attempt(name="own-environment", deed="'ESCAPE_SECRET' in os.environ", has_teeth=False)
    yield Attempt(
        name="words-of-processes",
        deed="anything(glob.glob('/proc/[0-9]*/cmdline'), lambda one: b'victim-' b'of' in open(one, 'rb').read())",
    )
    yield Attempt(name="memory-of-a-process", deed="opens('/proc/{victim}/mem')")
    yield Attempt(name="signal-to-a-process", deed="os.kill({victim}, 0)")
    yield Attempt(name="priority-of-a-process", deed="os.setpriority(os.PRIO_PROCESS, {victim}, 0)")
    yield Attempt(name="limits-of-a-process", deed="resource.prlimit({victim}, resource.RLIMIT_CORE)")
    yield Attempt(name="scheduling-of-a-process", deed="os.sched_setaffinity({victim}, os.sched_getaffinity({victim}))")
    yield Attempt(name="ptrace-of-a-process", deed="libc.ptrace(0x4206, {victim}, 0, 0) == 0")
    yield Attempt(name="ptrace-of-itself", deed="taken({ptrace}, -1, 0, 0, 0)")
    yield Attempt(name="process-vm-readv", deed="taken({process_vm_readv}, os.getpid(), 0, 0, 0, 0, 0)")
    yield Attempt(name="process-vm-writev", deed="taken({process_vm_writev}, os.getpid(), 0, 0, 0, 0, 0)")
    yield Attempt(name="kcmp", deed="taken({kcmp}, os.getpid(), os.getpid(), 0, 0, 0)")
    yield Attempt(name="pidfd-getfd", deed="taken({pidfd_getfd}, os.pidfd_open(os.getpid()), 1, 0)")
    yield Attempt(name="own-memory-by-file", deed="opens('/proc/self/mem', os.O_RDWR)")
    yield Attempt(name="spared-when-memory-runs-out", deed="opens('/proc/self/oom_score_adj', os.O_WRONLY)")
    yield Attempt(
        name="limits-raised", deed="resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))", has_teeth=False
    )
    yield Attempt(name="priority-raised", deed="os.setpriority(os.PRIO_PROCESS, 0, -5)")


def _network() -> Iterator[Attempt]:
    yield Attempt(name="paddock-itself", deed="socket.create_connection(('127.0.0.1', {port}), 2).close()")
    yield Attempt(name="paddock-by-ipv6", deed="socket.create_connection(('::1', {port6}), 2).close()")
    # Where nobody listens the second is refused.
    yield Attempt(
        name="datagram",
        deed="[one := socket.socket(socket.AF_INET, socket.SOCK_DGRAM), one.connect(('127.0.0.1', {datagram})),"
        " one.send(b'1'), time.sleep(0.05), one.send(b'2')]",
    )
    yield Attempt(
        name="name-asked-of-a-server",
        deed="socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'?', ('192.0.2.1', 53))",
        has_teeth=False,
    )
    yield Attempt(name="unix-socket", deed="socket.socket(socket.AF_UNIX).connect('{socket}')")
    yield Attempt(name="abstract-socket", deed="socket.socket(socket.AF_UNIX).connect('\\0{abstract}')")
    yield Attempt(
        name="interfaces",
        deed="{{one.split(':')[0].strip() for one in open('/proc/net/dev') if ':' in one}} - {{'lo'}} or False",
        has_teeth=False,
    )
    families = {"raw-socket": "2, 3, 1", "packet-socket": "17, 3, 0", "netlink-socket": "16, 3, 0"}
    for name, words in families.items():
        yield Attempt(name=name, deed=f"socket.socket({words}).close()")
    yield Attempt(name="raw-socket-of-unix", deed="socket.socketpair(1, 3, 0)")
    yield Attempt(name="machine-that-hosts-this-one", deed="taken({socket_number}, 40, 1, 0)", has_teeth=False)
    yield Attempt(name="crypto-of-the-kernel", deed="taken({socket_number}, 38, 5, 0)", has_teeth=False)


def _namespaces() -> Iterator[Attempt]:
    yield Attempt(name="unshare-users", deed="taken({unshare}, 0x10000000)", has_teeth=False)
    yield Attempt(name="unshare-nothing", deed="taken({unshare}, 0)")
    yield Attempt(
        name="clone-into-namespace",
        deed="(lambda pid: os._exit(0) if pid == 0 else pid > 0)(libc.syscall({clone}, 0x10000000 | 17, 0, 0, 0, 0))",
    )
    yield Attempt(name="clone3", deed="taken({clone3}, 0, 0)")
    yield Attempt(name="setns", deed="taken({setns}, -1, 0)")
    yield Attempt(name="mount", deed="taken({mount}, b'none', b'/is/not/there', b'tmpfs', 0, 0)")
    yield Attempt(name="umount", deed="taken({umount2}, b'/is/not/there', 0)")
    yield Attempt(name="open-tree", deed="taken({open_tree}, -1, b'is/not/there', 0)")
    yield Attempt(name="fsopen", deed="taken({fsopen}, b'', -1)")
    yield Attempt(name="pivot-root", deed="taken({pivot_root}, b'/is/not/there', b'/is/not/there')")
    yield Attempt(name="chroot", deed="taken({chroot}, b'/is/not/there')")
    yield Attempt(name="file-by-handle", deed="taken({open_by_handle_at}, -1, 0, 0)")
    yield Attempt(name="openat2", deed="taken({openat2}, -1, 0, 0, 0)")


def _kernel() -> Iterator[Attempt]:
    for name in ("keyctl", "add_key", "request_key"):
        yield Attempt(name=name.replace("_", "-"), deed=f"taken({{{name}}}, 99, 0, 0, 0, 0)", has_teeth=False)
    for name in ("bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "init_module", "finit_module"):
        yield Attempt(name=name.replace("_", "-"), deed=f"taken({{{name}}}, -1, 0, -1, -1, -1)", has_teeth=False)
    yield Attempt(name="kexec-load", deed="taken({kexec_load}, 0, 99, 0, -1)", has_teeth=False)
    yield Attempt(name="reboot", deed="taken({reboot}, 0, 0, 0, 0)", has_teeth=False)
    yield Attempt(name="log-of-the-kernel", deed="taken({syslog}, 10, 0, 0)")
    yield Attempt(name="name-of-the-machine", deed="taken({sethostname}, 0, -1)")
    yield Attempt(name="clock-of-the-machine", deed="taken({clock_settime}, 99, 0)")
    yield Attempt(name="memory-that-is-no-file", deed="os.memfd_create('escape') > 0")
    yield Attempt(name="memory-that-is-shared", deed="taken({shmget}, 0, 0, 0)")
    yield Attempt(name="settings-of-the-kernel", deed="opens('/proc/sys/kernel/core_pattern', os.O_WRONLY)")
    yield Attempt(name="memory-of-the-kernel", deed="open('/proc/kcore', 'rb').read(4) or False", has_teeth=False)
    yield Attempt(
        name="devices",
        deed="anything(['/dev/mem', '/dev/kmem', '/dev/kmsg', '/dev/port', '/dev/kvm', '/dev/fuse', '/dev/net/tun',"
        " '/dev/vda', '/dev/sda', '/dev/nvme0n1', '/dev/loop-control'], opens)",
    )
    yield Attempt(name="device-made", deed="os.mknod('device', stat.S_IFCHR | 0o600, os.makedev(1, 3))")
    yield Attempt(name="device-of-all-changed", deed="os.chmod('/dev/null', 0o666)")
    yield Attempt(name="letters-for-a-terminal", deed="fcntl.ioctl(os.openpty()[1], 0x5412, b'x')", has_teeth=False)
    yield Attempt(name="terminal-of-the-server", deed="opens('/dev/tty')", has_teeth=False)


def _rights() -> Iterator[Attempt]:
    yield Attempt(name="become-root", deed="os.setuid(0)")
    yield Attempt(name="become-group-of-root", deed="os.setgroups([0])")
    yield Attempt(name="file-that-runs-as-owner", deed="[opens('owned', os.O_CREAT), os.chmod('owned', 0o4755)]")
    yield Attempt(name="file-made-to-run-as-owner", deed="os.close(os.open('made', os.O_CREAT | os.O_WRONLY, 0o4755))")
    yield Attempt(
        name="file-with-rights-of-root",
        deed="[opens('able', os.O_CREAT),"
        " os.setxattr('able', 'security.capability', struct.pack('<5I', 0x02000000, 1, 0, 0, 0))]",
    )
    yield Attempt(name="file-given-to-root", deed="[opens('given', os.O_CREAT), os.chown('given', 12345, 12345)]")
    yield Attempt(name="new-rights-by-programs", deed="'NoNewPrivs:\\t0' in open('/proc/self/status').read()")
    yield Attempt(name="system-written", deed="os.close(os.open('/usr', os.O_TMPFILE | os.O_RDWR))")
    yield Attempt(name="settings-of-the-system-written", deed="os.close(os.open('/etc', os.O_TMPFILE | os.O_RDWR))")
    yield Attempt(name="root-written", deed="os.close(os.open('/', os.O_TMPFILE | os.O_RDWR))")
    yield Attempt(name="environment-of-python-written", deed="os.close(os.open(sys.prefix, os.O_TMPFILE | os.O_RDWR))")
    yield Attempt(name="library-of-python-written", deed="opens(os.__file__, os.O_WRONLY)")
    yield Attempt(name="walls-rewritten", deed="opens('/run/interpreter.py', os.O_WRONLY)", has_teeth=False)


GROUPS = {
    "Reading what is others'": (*_reading(),),
    "Reaching other processes": (*_processes(),),
    "Reaching the network": (*_network(),),
    "Changing what is seen": (*_namespaces(),),
    "Reaching the kernel": (*_kernel(),),
    "Gaining rights": (*_rights(),),
}
ATTEMPTS = tuple(one for group in GROUPS.values() for one in group)
