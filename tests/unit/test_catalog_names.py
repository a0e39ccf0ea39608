"""Which id a model file's name becomes, and what is said of a name that leads to no file."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

import pytest

from paddock.errors import ModelUnusable
from paddock.models.catalog import Catalog, id_of_file
from paddock.paths import Home


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


def test_what_is_no_file_is_told_for_what_it_is(tmp_path: Path) -> None:
    catalog = Catalog(Home(root=tmp_path / "home"))
    pipe, gone, lone = tmp_path / "pipe.gguf", tmp_path / "gone.gguf", tmp_path / "lone.gguf"
    os.mkfifo(pipe)
    gone.symlink_to(tmp_path / "nowhere.gguf")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener:
        with contextlib.chdir(tmp_path):
            listener.bind(lone.name)
        told = {
            pipe: "'pipe.gguf' is a named pipe, not a file",
            lone: "'lone.gguf' is a socket, not a file",
            gone: "'gone.gguf' is a link to a file that is not there",
            Path("/dev/zero"): "'zero' is a device, not a file",
        }
        for path, sentence in told.items():
            with pytest.raises(ModelUnusable, match=sentence):
                catalog.import_file(path)
            with pytest.raises(ModelUnusable, match=sentence):
                catalog.resolve(str(path))
            assert not catalog.is_adapter(path)
