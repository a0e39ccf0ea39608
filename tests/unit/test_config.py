"""Where a setting's value comes from, and what is said about one that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from paddock.config import NAMES, Settings, describe, load
from paddock.errors import SettingInvalid
from paddock.values import Value


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"PADDOCK_HOME": str(tmp_path)}


def _write(environ: dict[str, str], text: str) -> None:
    (Path(environ["PADDOCK_HOME"]) / "config.toml").write_text(text, "utf-8")


def test_a_default_gives_way_to_the_file_the_file_to_the_environment_and_that_to_a_flag(
    environ: dict[str, str],
) -> None:
    settings = load({}, environ)
    assert (settings.port, settings.sources["port"]) == (8642, "default")
    _write(environ, "port = 1001\n")
    settings = load({}, environ)
    assert (settings.port, settings.sources["port"]) == (1001, "file")
    environ["PADDOCK_PORT"] = "1002"
    settings = load({}, environ)
    assert (settings.port, settings.sources["port"]) == (1002, "environment")
    settings = load({"port": "1003"}, environ)
    assert (settings.port, settings.sources["port"]) == (1003, "flag")


def test_a_flag_that_was_not_typed_and_an_empty_variable_change_nothing(environ: dict[str, str]) -> None:
    _write(environ, "slots = 3\n")
    environ["PADDOCK_SLOTS"] = ""
    settings = load({"slots": None}, environ)
    assert (settings.slots, settings.sources["slots"]) == (3, "file")


def test_every_setting_has_a_source_and_a_help_text(environ: dict[str, str]) -> None:
    settings = load({}, environ)
    assert set(settings.sources) == set(NAMES)
    for name in NAMES:
        assert describe(name).endswith("."), name
        assert isinstance(getattr(settings, name), type(getattr(Settings, name))), name


def test_the_home_is_where_the_environment_says(environ: dict[str, str]) -> None:
    assert load({}, environ).home.root == Path(environ["PADDOCK_HOME"])


@pytest.mark.parametrize("word", ["1", "true", "YES", " on "])
def test_a_switch_reads_the_usual_words_for_yes(environ: dict[str, str], word: str) -> None:
    environ["PADDOCK_STRICT_WIRE"] = word
    assert load({}, environ).strict_wire is True


@pytest.mark.parametrize("word", ["0", "false", "No", "off"])
def test_a_switch_reads_the_usual_words_for_no(environ: dict[str, str], word: str) -> None:
    _write(environ, "strict_wire = true\n")
    environ["PADDOCK_STRICT_WIRE"] = word
    assert load({}, environ).strict_wire is False


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"port": "seven"}, "--port is 'seven', which is not a whole number."),
        ({"port": 70000}, "--port is 70000; it must lie between 0 and 65535."),
        ({"port": -1}, "--port is -1; it must lie between 0 and 65535."),
        ({"port": 80.5}, "--port is 80.5, which is not a whole number."),
        ({"port": True}, "--port is True, which is not a whole number."),
        ({"slots": "0"}, "--slots is 0; it must lie between 1 and 64."),
        ({"keepalive_s": "soon"}, "--keepalive-s is 'soon', which is not a number."),
        ({"keepalive_s": "nan"}, "--keepalive-s is nan; it must lie between 0.01 and 600."),
        ({"answer_timeout_s": "inf"}, "--answer-timeout-s is inf; it must lie between 0.1 and 86400."),
        ({"strict_wire": "perhaps"}, "--strict-wire is 'perhaps', which is not true or false."),
        ({"host": 127}, "--host is 127, which is not text."),
        ({"log_level": "loud"}, "--log-level is 'loud'; it must be one of debug, info, warning, error."),
        ({"log_format": "xml"}, "--log-format is 'xml'; it must be one of text, json."),
    ],
)
def test_a_bad_value_is_named_with_its_flag_and_what_is_allowed(
    environ: dict[str, str], flags: dict[str, Value | None], sentence: str
) -> None:
    with pytest.raises(SettingInvalid) as caught:
        load(flags, environ)
    assert caught.value.message == sentence


@pytest.mark.parametrize("name", [name for name in NAMES if not isinstance(getattr(Settings, name), str)])
def test_no_setting_takes_a_word_for_a_number_or_a_switch(environ: dict[str, str], name: str) -> None:
    environ[f"PADDOCK_{name.upper()}"] = "word"
    kind = type(getattr(Settings, name)).__name__
    allowed = {"int": "a whole number", "float": "a number", "bool": "true or false"}[kind]
    with pytest.raises(SettingInvalid) as caught:
        load({}, environ)
    assert caught.value.message == f"PADDOCK_{name.upper()} is 'word', which is not {allowed}."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("port = 'x'\n", "config.toml: port is 'x', which is not a whole number."),
        ("slots = 99\n", "config.toml: slots is 99; it must lie between 1 and 64."),
        ("host = 5\n", "config.toml: host is 5, which is not text."),
        ("[port]\na = 1\n", "config.toml: port is {'a': 1}, which is not a whole number."),
        ("log_level = 'x'\n", "config.toml: log_level is 'x'; it must be one of debug, info, warning, error."),
    ],
)
def test_a_bad_value_in_the_file_is_named_with_the_file(environ: dict[str, str], text: str, sentence: str) -> None:
    _write(environ, text)
    with pytest.raises(SettingInvalid) as caught:
        load({}, environ)
    assert caught.value.message == sentence


def test_an_unknown_name_in_the_file_is_told_with_the_names_there_are(environ: dict[str, str]) -> None:
    _write(environ, "prot = 1\n")
    with pytest.raises(SettingInvalid) as caught:
        load({}, environ)
    assert "'prot'" in caught.value.message
    assert all(name in caught.value.message for name in NAMES)


@pytest.mark.parametrize("raw", [b"port = \n", b"\xff\xfe", b"port = 1\nport = 2\n"])
def test_a_file_that_is_not_toml_is_one_sentence(environ: dict[str, str], raw: bytes) -> None:
    (Path(environ["PADDOCK_HOME"]) / "config.toml").write_bytes(raw)
    with pytest.raises(SettingInvalid, match=r"^config\.toml in the data home cannot be read: .*Mend or remove it\.$"):
        load({}, environ)


def test_a_folder_where_the_file_should_be_is_one_sentence(environ: dict[str, str]) -> None:
    (Path(environ["PADDOCK_HOME"]) / "config.toml").mkdir()
    with pytest.raises(SettingInvalid, match="cannot be read"):
        load({}, environ)
