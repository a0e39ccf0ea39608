"""Which trainings several processes can share, how they speak for one, and what is said where there is no Ray."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from paddock.errors import FieldInvalid
from paddock.install.prefix import Prefix, Record
from paddock.install.stack import BUILDS
from paddock.install.stacking import Stack, has_ray, lock_file
from paddock.jobs.folder import WORKER, JobFolder
from paddock.training.endings import concluded
from paddock.training.estimate import memory_of_device
from paddock.training.spec import as_table, spec_of
from paddock.training.trainings import WORK
from paddock.training.worker.ranks import Rank, forget_others, threads_each

ROWS: dict[str, Any] = {"data": "llama-keeper"}


@pytest.mark.parametrize(
    ("given", "param", "words"),
    [
        ({"processes": 3}, "accumulate", "accumulate is 4, and 3 processes share the batches of a step"),
        ({"processes": 0}, "processes", "processes"),
        ({"strategy": "fsdp"}, "processes", "processes is 1. Say how many cards there are."),
        ({"strategy": "zero"}, "strategy", "ddp, fsdp"),
        ({"strategy": "fsdp", "processes": 2, "method": "dpo"}, "strategy", "this has method dpo. Say ddp."),
        ({"strategy": "fsdp", "processes": 2, "base_is_in_4_bits": True}, "strategy", "base_is_in_4_bits. Say ddp."),
        (
            {"method": "grpo", "rewards": "judge", "judge_model": "a", "group_answers": 8, "cluster": "auto"},
            "rewards",
            "processes of 'auto' cannot reach it",
        ),
    ],
)
def test_what_several_cannot_share_is_refused_by_its_option(given: dict[str, Any], param: str, words: str) -> None:
    with pytest.raises(FieldInvalid) as refused:
        spec_of({**ROWS, **given})
    assert refused.value.param == param
    assert words in refused.value.message


@pytest.mark.parametrize(
    "given", [{"processes": 4}, {"processes": 2, "strategy": "fsdp"}, {"cluster": "10.0.0.5:6379"}]
)
def test_what_they_can_is_not(given: dict[str, Any]) -> None:
    assert spec_of({**ROWS, **given})


def test_the_first_alone_is_heard_and_why_any_failed_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = JobFolder(root=tmp_path)
    for number in ("0", "1"):
        monkeypatch.setenv("RANK", number)
        voice = Rank(job)
        voice.tell("step", step=int(number))
        voice.tell("failed", error={"kind": "memory", "message": f"{number} had none."})
        voice.close()
    assert [(event["number"], event["kind"], event["step"]) for event in job.events()[0]] == [(1, "step", 0)]
    assert [fault["message"] for fault in job.faults()] == ["0 had none.", "1 had none."]
    job.forget_faults()
    assert job.faults() == []


def test_a_job_whose_first_process_still_lives_is_alive(tmp_path: Path) -> None:
    job = JobFolder(root=tmp_path)
    lock = job.first_lock()
    assert not job.is_alive()
    assert lock.take()
    assert job.is_alive()
    lock.release()
    assert not job.is_alive()


def test_who_started_the_server_as_one_of_several_does_not_make_its_workers_such() -> None:
    environ = {"RANK": "3", "WORLD_SIZE": "8", "MASTER_PORT": "1", "HOME": "/"}
    forget_others(environ)
    assert environ == {"HOME": "/"}


def test_several_share_cores_and_main_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert threads_each() == max(1, (os.cpu_count() or 1) // 2)
    assert abs(memory_of_device()[1] // 4 - memory_of_device(4)[1]) <= 1


@pytest.mark.parametrize("cluster", ["ray", "10.0.0.5:6379"])
def test_where_there_is_no_ray_the_worker_says_what_adds_it(tmp_path: Path, cluster: str) -> None:
    job = JobFolder(root=tmp_path)
    spec = as_table(spec_of({**ROWS, "cluster": cluster, "processes": 2}))
    job.write_order({"spec": spec, "base": str(tmp_path)})
    # This Python has no Ray.
    done = subprocess.run(
        [sys.executable, "-I", WORKER, WORK, str(tmp_path)], capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 1, done.stderr
    (event,) = job.events()[0]
    assert concluded(job, event) == ("failed", event["error"])
    assert event["error"]["kind"] == "spec"
    assert event["error"]["message"].startswith(f"cluster is '{cluster}', and this training stack has no Ray")
    assert "`paddock setup python-stack --with ray`" in event["error"]["message"]
    assert not job.ranks.exists()


def test_ray_is_a_part_of_what_a_stack_is_made_of_and_stays(tmp_path: Path) -> None:
    prefix = Prefix(tmp_path)
    bare = Stack(prefix=prefix, build=BUILDS["cpu"])
    full = Stack(prefix=prefix, build=BUILDS["cpu"], ray=lock_file("ray.txt"))
    assert full.recipe.startswith(f"{bare.recipe} ray ")
    assert full.download_bytes > bare.download_bytes
    assert full.disk_bytes > bare.disk_bytes
    assert "Ray among them" in "\n".join(full.plan(""))
    assert "Ray" not in "\n".join(bare.plan(""))
    for stack, has in ((bare, False), (full, True)):
        environment = prefix.fresh()
        environment.mkdir()
        prefix.finish(environment, Record(version="2.13.0", source=stack.recipe, python="3.11", made_s=0))
        prefix.use(environment.name)
        assert has_ray(prefix) is has


def test_ray_s_lock_fits_that_of_the_stack_and_holds_every_hash() -> None:
    pins = [
        {line.split(" \\")[0] for line in lock_file(name).read_text("utf-8").splitlines() if "==" in line}
        for name in ("training.txt", "ray.txt")
    ]
    names = [{pin.split("==")[0] for pin in those} for those in pins]
    assert {pin for pin in pins[1] if pin.split("==")[0] in names[0]} <= pins[0]
    assert "ray" in names[1]
    text = lock_file("ray.txt").read_text("utf-8")
    assert all("--hash=sha256:" in part for part in text.split("==")[1:])
    assert json.dumps(sorted(names[1] & {"torch", "triton"})) == "[]"
