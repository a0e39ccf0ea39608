"""What the doctor says about what it finds, and what is said about a port."""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from paddock import hardware
from paddock.cli import checks, ports
from paddock.config import Settings
from paddock.hardware import Cpu, Memory
from paddock.paths import Home
from paddock.store import integrity


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


def _cpu(*features: str, quota_cores: float | None = None) -> Cpu:
    return Cpu(
        name="A CPU", architecture="x86_64", cores=8, usable_cores=2, quota_cores=quota_cores, features=tuple(features)
    )


def test_a_cpu_without_vector_units_is_a_warning() -> None:
    assert checks.cpu_check(_cpu("AVX2")).status == "ok"
    assert checks.cpu_check(_cpu("NEON")).status == "ok"
    check = checks.cpu_check(_cpu(quota_cores=2.5))
    assert check.status == "warn"
    assert check.detail == "A CPU, 2 of 8 cores (a container's quota of 2.5), no vector units"
    assert check.advice


def test_little_memory_is_a_warning_and_the_containers_limit_is_told() -> None:
    roomy = Memory(total_bytes=8 * 2**30, available_bytes=4 * 2**30, limit_bytes=None)
    assert checks.memory_check(roomy).detail == "4.0 GiB available of 8.0 GiB"
    tight = Memory(total_bytes=8 * 2**30, available_bytes=2**28, limit_bytes=2**29)
    check = checks.memory_check(tight)
    assert check.status == "warn"
    assert check.detail == "0.2 GiB available of 8.0 GiB (a container's limit of 0.5 GiB)"


def test_gpus_are_told_with_their_memory_and_silent_drivers_warned_of() -> None:
    assert checks.gpu_check(hardware.Found()).detail == "none found: models run on the processor"
    card = hardware.Accelerator(
        api="cuda", index=0, name="Big Card", total_bytes=24 * 2**30, free_bytes=20 * 2**30, architecture="8.9"
    )
    lent = hardware.Accelerator(api="vulkan", index=0, name="Small One", is_shared=True)
    check = checks.gpu_check(hardware.Found(accelerators=(card, lent)))
    assert check.status == "ok"
    assert check.detail == "Big Card (cuda 8.9, 20.0 GiB free of 24.0 GiB); Small One (vulkan, memory not told)"
    check = checks.gpu_check(hardware.Found(troubles=("NVIDIA's driver does not answer: no.",)))
    assert (check.status, check.detail) == ("warn", "NVIDIA's driver does not answer: no.")


def test_a_home_that_cannot_be_made_fails_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    check = checks.home_check(Home(root=tmp_path / "file" / "home"))
    assert check.status == "fail"
    assert "PADDOCK_HOME" in check.advice
    assert checks.home_check(Home(root=tmp_path / "home")).status == "ok"


def test_the_disk_of_a_home_that_is_not_there_yet_is_looked_at(tmp_path: Path) -> None:
    assert checks.disk_check(Home(root=tmp_path / "a" / "b")).detail.endswith("free")


def test_settings_that_cannot_be_used_fail_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PADDOCK_HOME", str(tmp_path))
    monkeypatch.delenv("PADDOCK_SCAN_OTHERS")
    assert checks.settings_check()[1].detail == "all defaults"
    monkeypatch.setenv("PADDOCK_SLOTS", "3")
    assert checks.settings_check()[1].detail == "slots (environment)"
    monkeypatch.setenv("PADDOCK_SLOTS", "many")
    settings, check = checks.settings_check()
    assert (settings.slots, settings.home.root) == (2, tmp_path)
    assert (check.status, check.detail) == ("fail", "PADDOCK_SLOTS is 'many', which is not a whole number.")


@pytest.mark.parametrize(
    ("words", "step"),
    [
        (
            "ImportError: libgomp.so.1: cannot open shared object file: No such file or directory",
            "apt install libgomp1",
        ),
        ("ImportError: /lib/libc.so.6: version `GLIBC_2.38' not found", "too old"),
        ("exit status -4", "AVX2"),
        ("ImportError: something else", "--force-reinstall"),
    ],
)
def test_a_library_that_does_not_load_has_its_own_advice(words: str, step: str) -> None:
    assert step in checks.library_advice(words)


def test_the_engines_library_loads_here() -> None:
    assert checks.library_check().status == "ok"


def test_a_port_that_is_taken_names_who_has_it_and_which_is_free(taken: int) -> None:
    assert not ports.is_free("127.0.0.1", taken)
    assert f"(process {os.getpid()})" in ports.listener(taken)
    sentence = ports.refusal("127.0.0.1", taken)
    assert f"Port {taken} on 127.0.0.1 is taken by " in sentence
    suggested = int(sentence.split("--port ")[1].split()[0])
    assert suggested != taken
    assert ports.is_free("127.0.0.1", suggested)
    check = checks.port_check(Settings(port=taken))
    assert (check.status, check.advice) == ("warn", ports.refusal("127.0.0.1", taken))


def test_a_free_port_is_free_and_zero_always_is(taken: int) -> None:
    assert ports.is_free("127.0.0.1", 0)
    free = ports.free_port("127.0.0.1", taken)
    assert checks.port_check(Settings(port=free)).detail == f"{free} on 127.0.0.1 is free"
    assert ports.free_port("127.0.0.1", 65535) > 0
    assert ports.refusal("127.0.0.1", free).endswith("try once more.")


def test_an_address_of_another_machine_is_said_to_be_one() -> None:
    assert "192.0.2.1 is no address of this machine" in ports.refusal("192.0.2.1", 8642)
    assert "nowhere.invalid is no address of this machine" in ports.refusal("nowhere.invalid", 8642)


def test_nobody_is_named_where_nobody_listens() -> None:
    assert ports.listener(ports.free_port("127.0.0.1", 20000)) == "another program"


def _database(home: Path) -> Path:
    with closing(sqlite3.connect(home / "paddock.db")) as there:
        there.execute("CREATE TABLE words (word TEXT)")
        there.executemany("INSERT INTO words VALUES (?)", [("word " * 200,) for _ in range(100)])
        there.commit()
    return home / "paddock.db"


def test_a_database_is_told_of_and_not_made(tmp_path: Path) -> None:
    settings = Settings(home=Home(root=tmp_path))
    assert checks.database_check(settings).detail == "none yet: it is begun when something is kept"
    assert list(tmp_path.iterdir()) == []
    path = _database(tmp_path)
    before = path.read_bytes()
    check = checks.database_check(settings)
    assert (check.status, check.advice) == ("ok", "")
    assert check.detail.startswith(f"{path} is whole, ")
    assert path.read_bytes() == before
    elsewhere = Settings(home=Home(root=tmp_path), database_url="postgresql://me@127.0.0.1:9/none")
    assert checks.database_check(elsewhere).status == "ok"
    assert "not looked at" in checks.database_check(elsewhere).detail


def test_a_damaged_database_fails_with_what_to_do_and_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However large it is.
    monkeypatch.setattr(integrity, "WHOLE_MOST_BYTES", 0)
    path = _database(tmp_path)
    data = bytearray(path.read_bytes())
    data[4096 * 3 : 4096 * 9] = bytes(4096 * 6)
    path.write_bytes(data)
    check = checks.database_check(Settings(home=Home(root=tmp_path)))
    assert check.status == "fail"
    assert "is damaged" in check.detail
    assert "paddock backup restore" in check.detail
    assert check.advice.startswith("Copy it")
    assert path.read_bytes() == data
    path.unlink()
    path.mkdir()
    check = checks.database_check(Settings(home=Home(root=tmp_path)))
    assert (check.status, check.advice[:9]) == ("fail", "Mend that")


def test_a_database_that_somebody_holds_is_a_warning(tmp_path: Path) -> None:
    with closing(sqlite3.connect(_database(tmp_path), isolation_level=None)) as there:
        there.execute("BEGIN EXCLUSIVE")
        check = checks.database_check(Settings(home=Home(root=tmp_path)))
    assert check.status == "warn"
    assert "Another program holds the database" in check.detail
