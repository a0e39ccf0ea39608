"""Tests which remotes may be named, how they are kept, and where their routes lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from paddock.engine.remote_records import Record, Records, checked
from paddock.engine.remotes import RemoteEndpoint
from paddock.errors import BadRequest, HomeUnusable, RemoteUnknown
from paddock.paths import Home


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/v1"),
        ("http://localhost:8000/v1/", "http://localhost:8000/v1"),
        ("http://[::1]:8000", "http://[::1]:8000/v1"),
        ("https://api.example/openai/v1", "https://api.example/openai/v1"),
        ("https://api.example/paas/v4/", "https://api.example/paas/v4"),
    ],
)
def test_an_address_is_kept_with_its_apis_path(typed: str, kept: str) -> None:
    assert checked(Record(name="far", url=typed)).url == kept


@pytest.mark.parametrize(
    "url",
    [
        "", "api.example", "ftp://api.example", "https://", "https://u:p@api.example/v1", "https://api.example/v1?key=1",
        "https://api.example/v1#x", "https://api.example:99999", "https://[::1/v1", "https://api.exa mple/v1",
        "https://api.example/v1\n", "https://ä.example", "https://api.example/" + "a" * 300,
        "http://api.example/v1", "http://192.168.1.4:8000", "http://127.0.0.1.api.example",
    ],
)  # fmt: skip
def test_what_is_no_address_or_not_safe_is_refused(url: str) -> None:
    with pytest.raises(BadRequest):
        checked(Record(name="far", url=url))


def test_plain_http_beyond_loopback_can_be_typed() -> None:
    record = Record(name="far", url="http://192.168.1.4:8000", is_plain_http=True)
    assert checked(record).url == "http://192.168.1.4:8000/v1"


@pytest.mark.parametrize("name", ["", "a/b", "-a", "a b", "a" * 41, "ä"])
def test_a_name_is_one_plain_word(name: str) -> None:
    with pytest.raises(BadRequest, match="no name for a remote"):
        checked(Record(name=name, url="https://api.example"))


def test_records_come_back_and_a_change_by_another_is_seen(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    mine, others = Records(home), Records(home)
    assert mine.all() == {}
    record = checked(Record(name="far", url="https://api.example", models=("a", "b/c"), added_s=7.0))
    others.put(record)
    assert mine.all() == {"far": record}
    others.remove("far")
    assert mine.all() == {}
    with pytest.raises(RemoteUnknown, match="Remotes here: none"):
        mine.find("far")


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", '{"remotes": [{}]}',
        '{"remotes": [{"name": "a", "url": "http://10.0.0.1", "models": [], "is_plain_http": "yes", "added_s": 1}]}',
    ],
)  # fmt: skip
def test_a_file_that_was_spoilt_is_told(tmp_path: Path, text: str) -> None:
    home = Home(root=tmp_path)
    home.remotes.write_text(text, "utf-8")
    with pytest.raises(HomeUnusable, match=r"remotes\.json"):
        Records(home).all()


def test_routes_lie_below_the_apis_path_and_vllms_own_beside_it() -> None:
    endpoint = RemoteEndpoint(base_url="https://api.example/openai/v1", api_key="sk-1")
    assert endpoint.url_of("/v1/chat/completions") == "https://api.example/openai/v1/chat/completions"
    assert endpoint.url_of("/tokenize") == "https://api.example/openai/tokenize"
    assert "sk-1" not in repr(endpoint)
