"""Tests which trackers a training may be told of, and what is handed to them; no library of theirs is imported."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from paddock.errors import FieldInvalid
from paddock.training.spec import as_table, as_yaml, from_yaml, spec_of
from paddock.training.trackers import TRACKERS, address_of, refuse_missing, trackers_of


def test_a_list_and_text_say_the_same() -> None:
    spec = from_yaml("data: rows.jsonl\ntrackers: [tensorboard, mlflow=online]\n")
    assert spec == spec_of({"data": "rows.jsonl", "trackers": "tensorboard, mlflow=online"})
    assert from_yaml(as_yaml(as_table(spec))) == spec
    assert trackers_of(spec.trackers) == {"tensorboard": False, "mlflow": True}


def test_every_tracker_can_be_named_and_stays_here() -> None:
    assert trackers_of(", ".join(TRACKERS)) == dict.fromkeys(TRACKERS, False)
    assert trackers_of("wandb=online") == {"wandb": True}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("neptune", "there are tensorboard, wandb, mlflow, trackio"),
        ("mlflow, mlflow", "twice"),
        ("tensorboard=online", "what can send them is wandb=online, mlflow=online"),
        ("trackio=somebody/space", "what can send them is"),
        ("mlflow=https://me:hush@example.org", "mlflow alone keeps figures here"),
    ],
)
def test_what_is_no_tracker_is_refused_by_its_option(text: str, words: str) -> None:
    with pytest.raises(FieldInvalid) as refused:
        spec_of({"data": "rows.jsonl", "trackers": text})
    assert refused.value.param == "trackers"
    assert words in refused.value.message


def test_figures_are_sent_only_where_paddocks_own_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(FieldInvalid, match="MLFLOW_TRACKING_URI is not set where paddock was started"):
        refuse_missing("mlflow=online", tmp_path, sys.executable)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://example.org")
    assert address_of("mlflow") == "https://example.org"
    with pytest.raises(FieldInvalid, match="its library is not here"):
        refuse_missing("mlflow=online", tmp_path, sys.executable)


def test_a_library_that_is_missing_is_told_with_the_command_for_this_very_folder(tmp_path: Path) -> None:
    with pytest.raises(FieldInvalid) as refused:
        refuse_missing("trackio", tmp_path, sys.executable)
    requirement = TRACKERS["trackio"].requirement
    assert f"{sys.executable} -m pip install --target {tmp_path / 'trackio'} {requirement}" in refused.value.message
    (tmp_path / "trackio" / "trackio").mkdir(parents=True)
    (tmp_path / "trackio" / "trackio" / "__init__.py").write_text("")
    refuse_missing("trackio", tmp_path, sys.executable)
