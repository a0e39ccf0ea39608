"""The training stack in real environments of small packages: made, cut short, gone on with, broken and mended."""

from __future__ import annotations

import os
import sysconfig
from dataclasses import replace
from pathlib import Path

import pytest

from paddock.errors import SetupFailed
from paddock.install.prefix import Prefix
from paddock.install.stack import BUILDS
from paddock.install.stacking import Proof, Stack, has_ray, python, state
from tests.fakes.paddock_wheels import requirement, write_wheel
from tests.fakes.stack_wheels import write_stack

CPU = BUILDS["cpu"]


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages, the only one that pip looks in."""
    for name in os.environ:
        if name.startswith("PIP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "packages"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return tmp_path / "packages"


def site(environment: Path) -> Path:
    base = {"base": str(environment), "platbase": str(environment)}
    return Path(sysconfig.get_path("purelib", scheme="venv", vars=base))


def test_a_stack_is_made_and_proved_gone_on_with_when_cut_short_and_mended_when_broken(
    tmp_path: Path, index: Path
) -> None:
    lock = write_stack(index)
    prefix = Prefix(tmp_path / "a stäck")
    stack = Stack(prefix=prefix, build=CPU, index="", lock=lock)
    # The rest cannot be had at first: what was done before that stays done.
    (index / "trl-1.0-py3-none-any.whl").rename(tmp_path / "away.whl")
    said: list[str] = []
    with pytest.raises(SetupFailed, match="no build of a package"):
        stack.install(say=said.append)
    assert prefix.current() is None
    (tmp_path / "away.whl").rename(index / "trl-1.0-py3-none-any.whl")
    # A package that pip had half written is no package.
    half = site(prefix.root / "env-1") / "trl-1.0.dist-info"
    half.mkdir()
    (half / "METADATA").write_text("Metadata-Version: 2.1\nName: trl\nVersion: 1.0\n", "utf-8")
    said.clear()
    assert stack.install(say=said.append) == Proof(torch="2.13.0+cpu", device="cpu")
    assert said[0] == "Going on after: environment, torch."
    assert stack.trouble() == ""
    assert python(prefix) == prefix.root / "env-1" / "bin" / "python"

    (site(prefix.root / "env-1") / "peft.py").unlink()
    assert "No module named 'peft'" in stack.trouble()
    stack.install(say=said.append)
    assert stack.trouble() == ""
    assert [path.name for path in prefix.root.glob("env-*")] == ["env-2"]


def test_a_stack_that_does_not_train_is_not_used_and_the_one_before_stays(tmp_path: Path, index: Path) -> None:
    lock = write_stack(index)
    prefix = Prefix(tmp_path / "stack")
    stack = Stack(prefix=prefix, build=CPU, index="", lock=lock)
    stack.install(say=lambda _: None)
    made = state(prefix)
    write_stack(index, does_learn=False)
    lock.write_text(lock.read_text("utf-8") + "\n", "utf-8")
    assert "of other packages" in stack.trouble()
    with pytest.raises(SetupFailed, match="does not work"):
        stack.install(say=lambda _: None)
    assert state(prefix) == made
    assert [path.name for path in prefix.root.glob("env-*")] == ["env-1"]


def test_a_build_for_a_card_that_does_not_see_one_is_not_used(tmp_path: Path, index: Path) -> None:
    lock = write_stack(index)
    prefix = Prefix(tmp_path / "stack")
    meant = replace(BUILDS["cuda-13.0"], label="cpu", bytes=0, download_bytes=0)
    with pytest.raises(SetupFailed, match="does not see the card"):
        Stack(prefix=prefix, build=meant, index="", lock=lock).install(say=lambda _: None)
    assert prefix.current() is None


def test_ray_is_added_in_a_new_environment_beside_the_one_in_use(tmp_path: Path, index: Path) -> None:
    bare = Stack(prefix=Prefix(tmp_path / "stack"), build=CPU, index="", lock=write_stack(index))
    bare.install(say=lambda _: None)
    assert not has_ray(bare.prefix)
    added = tmp_path / "ray.txt"
    # What both name is installed once.
    added.write_text(
        bare.lock.read_text("utf-8") + requirement(write_wheel(index, "ray", "1.0", {"ray.py": ""})), "utf-8"
    )
    full = replace(bare, ray=added)
    assert "of other packages" in full.trouble()
    full.install(say=lambda _: None)
    assert has_ray(full.prefix)
    assert full.trouble() == ""
    assert (site(full.prefix.root / "env-2") / "ray.py").is_file()
    assert [path.name for path in full.prefix.root.glob("env-*")] == ["env-2"]
