"""Tests what a push sends of a file in several pieces: each piece by its digest, and what is known of all of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from paddock.errors import Conflict
from paddock.evaluation.subject import read_subject
from paddock.export.card import CardEvaluation
from paddock.export.parcel import Known, PushSpec, card_for, packed
from paddock.export.spec import spec_of
from paddock.models.certificates import beside, marks_of

SPEC = spec_of({"source": "pocket-v0", "name": "x", "types": ["F16"]})
PUSH = PushSpec(export="job_1", repo="me/x-GGUF")
LINKS = {"template": {"verdict": "pass", "says": "Alike."}}


@pytest.fixture
def pieces(tmp_path: Path) -> list[Path]:
    """A file in three pieces, with a certificate that passes."""
    made = [tmp_path / f"x-F16-0000{number}-of-00003.gguf" for number in (1, 2, 3)]
    for number, one in enumerate(made):
        one.write_bytes(bytes([number]) * 100)
    told = {"verdict": "pass", "links": LINKS, "made_s": 1.8e9, "prompts": 34, **marks_of(made[0])}
    beside(made[0]).write_text(json.dumps(told))
    return made


def evaluated(pieces: list[Path]) -> Known:
    """What is known where exactly these bytes were evaluated, by the digest that an evaluation notes."""
    subject = read_subject("x", pieces, template="", override="", engine="embedded 1")
    report = {"total": {"passed": 9, "of": 12, "low": 0.4, "high": 0.9}}
    found = CardEvaluation(file="", name="tools of x", engine=subject.engine, at_s=1.8e9, report=report)
    return Known(evaluations={subject.file_digest: [found]}, base="pocket-v0", version="1")


def test_each_piece_is_sent_by_its_own_digest_and_the_card_finds_the_evaluation(pieces: list[Path]) -> None:
    parcel = packed(PUSH, SPEC, pieces[0].parent)
    assert {one.name: one.sha256 for one in parcel.uploads} == {
        **{one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in pieces},
        "x-F16.certificate.json": "",
    }
    known = evaluated(pieces)
    card = card_for("x", parcel, known)
    assert f"SHA-256 of its 3 pieces in their order `{next(iter(known.evaluations))}`" in card
    assert "| `x-F16-00001-of-00003.gguf` | `tools of x` | 9 of 12 pass (40.0 to 90.0 %) |" in card


def test_a_second_piece_of_other_bytes_is_named_and_has_no_evaluation(pieces: list[Path]) -> None:
    known = evaluated(pieces)
    pieces[1].write_bytes(b"x" * 100)
    with pytest.raises(Conflict, match=r"F16: its certificate is of other bytes \(x-F16-00002-of-00003\.gguf\)"):
        packed(PUSH, SPEC, pieces[0].parent)
    parcel = packed(PushSpec(export="job_1", repo="me/x-GGUF", uncertified=True), SPEC, pieces[0].parent)
    assert {one.sha256 for one in parcel.uploads} == {""}
    card = card_for("x", parcel, known)
    assert "`x-F16-00001-of-00003.gguf`: is of other bytes (`x-F16-00002-of-00003.gguf`)." in card
    assert "None is known of exactly these files." in card
