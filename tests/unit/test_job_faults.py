"""What is told of a job whose machine had too little: by the words of libraries and of the system."""

from __future__ import annotations

import errno
import os

import pytest

from paddock.errors import PaddockError
from paddock.export.endings import ADVICE as OF_EXPORTS
from paddock.jobs.ended import Advice, is_disk_full, is_memory_short, not_begun
from paddock.training.endings import ADVICE as OF_TRAININGS


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 7.79 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you"),
        RuntimeError("HIP out of memory."),
        OSError(errno.ENOMEM, "Out of memory"),
    ],
    ids=str,
)
def test_memory_that_is_short_is_known_by_its_words(error: Exception) -> None:
    assert is_memory_short(error)
    assert not is_disk_full(error)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG], ids=errno.errorcode.get)
@pytest.mark.parametrize("advice", [OF_TRAININGS, OF_EXPORTS], ids=["training", "export"])
def test_a_job_that_found_no_room_to_begin_says_so_and_what_to_do(number: int, advice: Advice) -> None:
    told = not_begun(OSError(number, os.strerror(number), "/home/jobs/job_1/order.json"), advice)
    assert told["kind"] == "disk"
    assert "Free space, and resume" in told["message"]


@pytest.mark.parametrize("error", [PermissionError(errno.EACCES, "Permission denied"), PaddockError("It has no base.")])
def test_whatever_else_kept_it_is_no_full_disk(error: Exception) -> None:
    told = not_begun(error, OF_TRAININGS)
    assert (told["kind"], told["message"]) == ("system", str(error))
    assert not is_memory_short(error)
