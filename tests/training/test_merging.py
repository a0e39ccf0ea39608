"""Tests that an adapter merged matrix by matrix is what it comes to when the whole model is held."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.training.exporting import HANG_GUARD_S, POCKET, ROOT, python


def test_merged_by_matrices_is_what_merging_as_a_whole_comes_to(tmp_path: Path) -> None:
    program = str(Path(__file__).with_name("merging_both_ways.py"))
    done = subprocess.run(
        [python(), program, str(POCKET), str(tmp_path), str(ROOT / "src")],
        capture_output=True, text=True, timeout=HANG_GUARD_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    # A table of tokens may stand behind the last layer too, so that one is merged as a whole.
    assert {kind: one["by_matrices"] for kind, one in found.items()} == {
        "plain": True, "scaled": True, "dora": True, "tables": False
    }  # fmt: skip
    for kind, one in found.items():
        assert one["differing"] == [], kind
        if one["by_matrices"]:
            assert one["weights"]["wrong"] == 0
            assert one["weights"]["lacking"] == []
            assert one["weights"]["share"] == pytest.approx(1, abs=0.01)
    for name in ("config.json", "tokenizer.json", "chat_template.jinja", "generation_config.json"):
        assert (tmp_path / "plain" / "merged" / name).read_bytes() == (POCKET / name).read_bytes()
