"""Which id a model file's name becomes."""

from __future__ import annotations

import pytest

from paddock.models.catalog import id_of_file


@pytest.mark.parametrize(
    ("name", "model_id"),
    [
        ("a.gguf", "a"),
        ("A.GGUF", "A"),
        ("a", "a"),
        ("a.b.gguf", "a.b"),
        ("a-00001-of-00002.gguf", "a"),
        ("a\nb.gguf", "a_b"),
    ],
)
def test_a_file_name_becomes_an_id(name: str, model_id: str) -> None:
    assert id_of_file(name) == model_id
