"""Owns the kernel's own filter for workspaces: which system calls their programs are refused; runs nothing.

Covered: whatever looks into or changes other processes, mounts, namespaces, the kernel itself, its keys and its clock;
memory that is nobody's file (memfd, System V); sockets other than of Unix and IP, raw ones; characters pushed into a
terminal; files that run as their owner. All else is allowed: programs of every kind are to run. What is not in it is
held by namespaces and by rights.
"""

from __future__ import annotations

import os
import platform
import struct
from collections.abc import Iterable

from paddock.sandbox.inside import ALLOW, JUMP_IF_EQUAL, KILL, LOAD, MACHINE_AT, MACHINES, NUMBER_AT, REFUSE, RETURN

_JUMP_IF_ANY, _JUMP_IF_LEAST, _AND = 0x45, 0x35, 0x54
_ABSENT = 0x00050000 | 38
# Numbers of the other kind of x86-64, which name the same calls once more.
_X32 = 0x40000000
# Refused, by its number on x86-64 and on arm64; None where there is no such call.
REFUSED: dict[str, tuple[int | None, int | None]] = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440), "mount": (165, 40), "umount2": (166, 39),
    "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442), "statmount": (457, 457), "listmount": (458, 458), "open_tree_attr": (467, 467),
    "unshare": (272, 97), "setns": (308, 268), "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "create_module": (174, None), "query_module": (178, None), "reboot": (169, 142), "acct": (163, 89),
    "swapon": (167, 224), "swapoff": (168, 225), "quotactl": (179, 60), "quotactl_fd": (443, 443),
    "syslog": (103, 116), "fanotify_init": (300, 262), "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265), "lookup_dcookie": (212, 18), "nfsservctl": (180, 42), "vhangup": (153, 58),
    "sethostname": (170, 161), "setdomainname": (171, 162), "settimeofday": (164, 170), "adjtimex": (159, 171),
    "clock_settime": (227, 112), "clock_adjtime": (305, 266), "personality": (135, 92), "iopl": (172, None),
    "ioperm": (173, None), "modify_ldt": (154, None), "uselib": (134, None), "migrate_pages": (256, 238),
    "move_pages": (279, 239), "mbind": (237, 235), "set_mempolicy": (238, 237), "vmsplice": (278, 75),
    "shmget": (29, 194), "semget": (64, 190), "msgget": (68, 186), "mq_open": (240, 180),
}  # fmt: skip
# Told as if the kernel were too old for them, for which programs have another way. What clone3 and openat2 are asked
# for lies in memory, where no filter looks.
NOT_THERE = {"clone3": (435, 435), "openat2": (437, 437), "memfd_create": (319, 279), "memfd_secret": (447, 447)}
_NEW_NAMESPACES = 0x7E020000
_TO_TERMINALS = (0x5412, 0x541C, 0x541D, 0x5423)
_RUNS_AS_OWNER = 0o6000
_MAKES_FILE = 0x400040
# Which argument holds the rights of a file, and which its flags; the flags of `open` tell whether there are any rights.
_WITH_RIGHTS = (
    ((90, None), 1, None), ((91, 52), 1, None), ((268, 53), 2, None), ((452, 452), 2, None), ((133, None), 1, None),
    ((259, 33), 2, None), ((85, None), 1, None), ((2, None), 2, 1), ((257, 56), 3, 2),
)  # fmt: skip
_SOCKET, _SOCKETPAIR, _CLONE, _IOCTL = (41, 198), (53, 199), (56, 220), (16, 29)
_FAMILIES = (1, 2, 10)
_RAW, _PACKET, _KIND_BITS = 3, 10, 0xF

_Step = tuple[int, int, int, int]


def compiled(machine: str = "") -> bytes:
    """The filter, as bubblewrap takes it. Raises KeyError for a processor that it was not written for."""
    column, architecture = MACHINES[machine or platform.machine()]
    steps: list[_Step] = [
        (LOAD, 0, 0, MACHINE_AT), (JUMP_IF_EQUAL, 1, 0, architecture), (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER_AT), (_JUMP_IF_LEAST, 0, 1, _X32), (RETURN, 0, 0, REFUSE),
    ]  # fmt: skip
    for numbers, answer in ((REFUSED, REFUSE), (NOT_THERE, _ABSENT)):
        for both in numbers.values():
            steps += _only(both[column], [(RETURN, 0, 0, answer)])
    steps += _only(_CLONE[column], [*_refused_bits(0, _NEW_NAMESPACES), (RETURN, 0, 0, ALLOW)])
    steps += _only(_IOCTL[column], [_loaded(1), *_refused_values(_TO_TERMINALS), (RETURN, 0, 0, ALLOW)])
    for both in (_SOCKET, _SOCKETPAIR):
        steps += _only(both[column], _sockets())
    for both, rights, flags in _WITH_RIGHTS:
        steps += _only(both[column], _rights(rights, flags))
    steps.append((RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def filter_to_read() -> int:
    """A descriptor from which the filter is read; who calls this closes it."""
    descriptor = os.memfd_create("filter")
    os.write(descriptor, compiled())
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _only(number: int | None, block: list[_Step]) -> list[_Step]:
    """Steps for one call alone, each way through which ends; none where there is no such call."""
    return [] if number is None else [(JUMP_IF_EQUAL, 0, len(block), number), *block]


def _loaded(argument: int) -> _Step:
    """The lower half of an argument: all that a call of 32 bits looks at."""
    return (LOAD, 0, 0, 16 + 8 * argument)


def _refused_bits(argument: int, bits: int) -> list[_Step]:
    return [_loaded(argument), (_JUMP_IF_ANY, 0, 1, bits), (RETURN, 0, 0, REFUSE)]


def _refused_values(values: Iterable[int]) -> list[_Step]:
    return [step for value in values for step in ((JUMP_IF_EQUAL, 0, 1, value), (RETURN, 0, 0, REFUSE))]


def _sockets() -> list[_Step]:
    known = [(JUMP_IF_EQUAL, len(_FAMILIES) - place, 0, family) for place, family in enumerate(_FAMILIES)]
    kinds = [_loaded(1), (_AND, 0, 0, _KIND_BITS), *_refused_values((_RAW, _PACKET))]
    return [_loaded(0), *known, (RETURN, 0, 0, REFUSE), *kinds, (RETURN, 0, 0, ALLOW)]


def _rights(rights: int, flags: int | None) -> list[_Step]:
    first = [] if flags is None else [_loaded(flags), (_JUMP_IF_ANY, 1, 0, _MAKES_FILE), (RETURN, 0, 0, ALLOW)]
    return [*first, *_refused_bits(rights, _RUNS_AS_OWNER), (RETURN, 0, 0, ALLOW)]
