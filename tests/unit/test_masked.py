"""What is shown of an address that holds a password: never that, in whichever form it is written."""

from __future__ import annotations

import tomllib
from urllib.parse import quote, quote_plus

import pytest
from sqlalchemy.engine import make_url

from paddock.config import shown_value, without_passwords
from paddock.masking import masked

PASSWORDS = [
    "hush", "hu/sh", "hu@sh", "h:u:sh", "12/34@56", "hu?sh#", "p@ss/w:rd?x=1&y", "hush://x@y/", "hu%sh", "hü sh", "80",
]  # fmt: skip
# What parts parameters ends a password among them, as every reader of it has it.
RAW = [one for one in PASSWORDS if "&" not in one]


def forms(password: str, query: str) -> dict[str, str]:
    """The address in every form: with what it should look like when it is shown."""
    return {
        f"postgresql://me:{password}@db.example/name": "postgresql://me:…@db.example/name",
        f"postgresql://me:{password}@db.example:5432/name": "postgresql://me:…@db.example:5432/name",
        f"postgresql+pg8000://:{password}@db.example/": "postgresql+pg8000://:…@db.example/",
        f"postgresql://me%40corp:{password}@[::1]:5432/name": "postgresql://me%40corp:…@[::1]:5432/name",
        f"postgresql://me:{password}@a.example:5432,b.example/name?target_session_attrs=any":
            "postgresql://me:…@a.example:5432,b.example/name?target_session_attrs=any",
        f"postgresql://db.example/name?user=me&password={query}": "postgresql://db.example/name?user=me&password=…",
        f"postgresql://db.example/name?pass%77ord={query}&user=me": "postgresql://db.example/name?pass%77ord=…&user=me",
        f"postgresql:///name?host=a:1&host=b:2&sslpassword={query}":
            "postgresql:///name?host=a:1&host=b:2&sslpassword=…",
        f"postgresql://me:{password}@db.example/name?sslpassword={query}":
            "postgresql://me:…@db.example/name?sslpassword=…",
    }  # fmt: skip


@pytest.mark.parametrize("password", PASSWORDS)
def test_an_escaped_password_is_not_shown_and_all_else_is(password: str) -> None:
    for address, wanted in forms(quote(password, safe=""), quote_plus(password)).items():
        assert shown_value("database_url", address) == wanted
        assert masked(f"The database {address} cannot be used") == f"The database {wanted} cannot be used"


@pytest.mark.parametrize("password", RAW)
def test_a_password_that_is_not_escaped_is_not_shown_either(password: str) -> None:
    for address in forms(password, password):
        shown = str(shown_value("database_url", address))
        assert "…" in shown
        assert not [piece for piece in ("hu", "sh", "12", "34", "56", ":80", "w:rd") if piece in shown]


def test_the_forms_are_those_that_the_databases_library_reads() -> None:
    for address in (
        "postgresql://me:p/w@h/db",
        "postgresql://h/db?user=me&pass%77ord=p/w",
        "postgresql://m@e:p/w@h/db",
    ):
        url = make_url(address)
        assert "p/w" in (url.password, url.query.get("password"))
        assert "p/w" not in masked(address)


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:8642/api/files/@me/x", "https://example.com:443/@scope/pack?v=1@2", "https://example.com/@me",
        "see https://example.com:8443/a, or write to me@example.com: soon", "postgresql://me@host:5432/name",
        "me:you@there", "sqlite:////srv/a:b@c.db", "https://example.com/?max_tokens=5&page=2", "the ratio 3:4 @ noon",
    ],
)  # fmt: skip
def test_what_holds_no_password_is_shown_as_it_is(text: str) -> None:
    assert masked(text) == text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("https://me:pw@mirror.example:8080/x", "https://me:…@mirror.example:8080/x"),
        ("HTTPS://me:8080@mirror.example/x", "HTTPS://me:…@mirror.example/x"),
        ("https://me:p/w@mirror.example/x", "https://me:…@mirror.example/x"),
        ("https://mirror.example/x?api_key=abc&v=1", "https://mirror.example/x?api_key=…&v=1"),
        ("https://proxy.example/?to=amqp://me:pw@inner/", "https://proxy.example/?to=amqp://me:…@inner/"),
        ("'a://me:pw@h', \"b://you:wp@k\"", "'a://me:…@h', \"b://you:…@k\""),
    ],
)
def test_addresses_of_other_kinds_are_masked_within_a_text(text: str, wanted: str) -> None:
    assert masked(text) == wanted


@pytest.mark.parametrize("value", ["me:hush@host/name", "host=h user=me password=hush", "nonsense"])
def test_what_should_be_an_address_and_is_none_is_not_shown(value: str) -> None:
    assert shown_value("database_url", value) == "…"
    assert shown_value("database_url", "") == ""
    assert shown_value("model", value) == value


def test_the_settings_file_is_masked_as_a_whole_and_stays_what_it_was() -> None:
    text = (
        "# was database_url = 'postgresql://me:old/hush@host/name'\n"
        'database_url = "postgresql://me:a \\"hush@host/name"  # mine\n'
        "engine_mirror = 'me:hush@mirror'\nslots = 3\nmodel_folders = \"/srv/a:b@c\"\n"
    )
    shown = without_passwords(text)
    assert "hush" not in shown
    assert "  # mine\n" in shown
    told = tomllib.loads(shown)
    assert told == {
        "database_url": "postgresql://me:…@host/name", "engine_mirror": "…", "slots": 3, "model_folders": "/srv/a:b@c",
    }  # fmt: skip
    assert "hush" not in without_passwords("broken = = 'postgresql://host/name?password=hush'\n")


def test_a_line_that_is_made_to_take_long_does_not() -> None:
    """Each of them would take minutes where the work grew with the square of the length."""
    for piece in ("://a:", "http://a:1/", "://a:@", "?password", "&a=", "a", "://"):
        line = piece * (2**20 // len(piece))
        assert len(masked(line)) <= len(line)
        assert len(masked(f"@{line} ://")) <= len(line) + 5
