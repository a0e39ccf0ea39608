"""Tests what of a data home is in a backup: each member is taken or left out for a reason, and no name leads out."""

from __future__ import annotations

from pathlib import Path

import pytest

from paddock.backup import parts
from paddock.backup.making import Choice
from paddock.paths import Home


def members() -> set[str]:
    """The properties of Home that are places."""
    home = Home(root=Path("home"))
    told = [name for name, one in vars(Home).items() if isinstance(one, property)]
    return {name for name in told if isinstance(getattr(home, name), Path)}


def put(path: Path, text: str = "x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def test_every_member_of_the_home_is_in_a_backup_or_left_out_for_a_reason() -> None:
    taken = {rule.member for rule in parts.RULES} | {parts.DATABASE}
    assert taken | set(parts.LEFT_OUT) == members()
    assert taken.isdisjoint(parts.LEFT_OUT)
    assert all(reason.startswith("is ") for reason in parts.LEFT_OUT.values())


def test_what_is_taken_follows_the_choice(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    always = {"config.toml", "templates/1f.jinja", "models/a--b--Q4.pulled.json", "jobs/job_1/order.json"}
    secrets = {"keys.secret", "secrets.key", "self-signed.key", "self-signed.pem"}
    chosen = {"models/mine.gguf", "requests/r.json.gz", "jobs/job_1/model/adapter/a.gguf"}
    never = {
        "engines/b1/llama-server", "jobs/job_1/checkpoints/checkpoint-3/x.json", "jobs/job_1/worker.lock", "slots/a.kv",
        "jobs/.owner.lock", "templates/.1f.jinja.12345678.draft", "requests/.r.draft", "paddock.db", "stranger.txt",
        "models/deeper/mine.gguf", "paddock.db.before-0005",
    }  # fmt: skip
    for name in always | secrets | chosen | never:
        put(tmp_path / name)

    def taken(choice: Choice) -> set[str]:
        return {name for name, _ in parts.files_of(home, choice.kinds)[0]}

    assert taken(Choice()) == always | secrets
    assert taken(Choice(secrets=False)) == always
    everything = Choice(models=True, recordings=True, trainings=True)
    assert taken(everything) == always | secrets | chosen


@pytest.mark.parametrize(
    "name",
    [
        "../config.toml", "/config.toml", "templates/../config.toml", "templates//x", "templates/", "templates", "",
        "./config.toml", "templates/.x", "templates/a\\b", "templates/a:b", "templates/con", "templates/nul.txt",
        "templates/a\0b", "templates/a\nb", "templates/x.", "templates/\udcff", "templates/" + "é" * 128,
        "paddock.db-wal", "serving.lock", "engines/b1/llama-server", "templates/deep/x", "models/x.sh",
        "jobs/job_1/checkpoints/x", "restoring/journal.json", "CONFIG.TOML", "requests", "jobs/job_1/model",
        "scratch/x",
    ],
)  # fmt: skip
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    assert parts.fault_of(name)


@pytest.mark.parametrize(
    "name",
    ["paddock.db", "config.toml", "templates/1f", "requests/a/b/c", "jobs/job_1/model/x/y.gguf", "models/Größe.gguf"],
)
def test_a_name_that_a_backup_holds_is_let_pass(name: str) -> None:
    assert not parts.fault_of(name)
