"""Owns the settings and where each value came from; refuses to act on any of them.

A value is taken from the first of: a command-line flag, the environment (`PADDOCK_…`), `config.toml` in the data
home, the default. Each setting is one field below; its help text is what the documentation and `paddock config show`
print.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from paddock.errors import HomeUnusable, SettingInvalid
from paddock.masking import masked, masked_address
from paddock.paths import Home, alone, default_root, write_whole
from paddock.values import Value, converted

Source = Literal["default", "file", "environment", "flag"]


LOG_LEVELS = ("debug", "info", "warning", "error")


def _setting(
    default: Value,
    help_text: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] | None = None,
) -> Any:
    return field(default=default, metadata={"help": help_text, "low": low, "high": high, "choices": choices})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that can be set, with units in the names. Immutable once loaded."""

    host: str = _setting("127.0.0.1", "Address to listen on. Beyond loopback every request needs a key.")
    port: int = _setting(8642, "Port to listen on; 0 lets the system choose.", low=0, high=65535)
    model: str = _setting(
        "pocket-v0", "Model served when a request names none: an id from `paddock models list`, or a GGUF file."
    )
    context_tokens: int = _setting(
        0, "Context of each slot in tokens; 0 takes what the model was trained for, at most 16384.", low=0, high=2**24
    )
    slots: int = _setting(2, "Requests the engine works on at once; each has a context of its own.", low=1, high=64)
    threads: int = _setting(0, "CPU threads of the engine; 0 takes one per core.", low=0, high=1024)
    batch_tokens: int = _setting(
        128, "Prompt tokens read between two looks at whether the client is still there.", low=16, high=8192
    )
    strict_wire: bool = _setting(False, "Refuse what would otherwise be repaired and named in `x-paddock-normalized`.")
    status_deadline_s: float = _setting(
        5.0, "Seconds a stream waits for the engine's status before it opens and is kept alive.", low=0.01, high=600
    )
    keepalive_s: float = _setting(
        5.0, "Seconds of silence in an open stream before a comment is sent.", low=0.01, high=600
    )
    answer_timeout_s: float = _setting(
        600.0,
        "Seconds the engine may take until its answer begins (all of it, when not streamed).",
        low=0.1,
        high=86400,
    )
    abandoned_timeout_s: float = _setting(
        30.0,
        "Seconds an engine that nobody else uses may compute for a client that left; then it is replaced.",
        low=0.1,
        high=86400,
    )
    answer_tokens_most: int = _setting(
        0, "Most tokens of an answer whose request sets no bound; 0 lets it go on to the end of the context.",
        low=0, high=2**24,
    )  # fmt: skip
    load_timeout_s: float = _setting(600.0, "Seconds a model may take to load.", low=0.1, high=86400)
    memory_budget_bytes: int = _setting(
        0,
        "Memory that loaded models may take together; 0 takes 80 % of what is free at the start.",
        low=0,
        high=2**50,
    )
    models_most: int = _setting(0, "Models loaded at once; 0 is as many as fit into memory.", low=0, high=1024)
    queue_most: int = _setting(
        48, "Requests that may wait, for a model or for a slot of one; a further one is refused.", low=0, high=10000
    )
    queue_patience_s: float = _setting(
        5.0, "Seconds after which a request that waits for room stops new ones to models in its way.", low=0, high=86400
    )
    idle_unload_s: float = _setting(
        0.0, "Seconds after which a model that nobody uses is unloaded; 0 is never.", low=0, high=31536000
    )
    slot_cache_bytes: int = _setting(
        4 * 2**30,
        "Disk space for conversations of models that were unloaded, so that they are not read anew; 0 keeps none.",
        low=0,
        high=2**50,
    )
    max_body_bytes: int = _setting(64 * 2**20, "Largest request body that is read.", low=1024, high=2**40)
    allowed_origins: str = _setting(
        "", "Web origins, separated by commas, whose pages may call paddock, such as `http://localhost:3000`."
    )
    require_key: bool = _setting(False, "Ask for a key on loopback too.")
    database_url: str = _setting(
        "", "Where responses and keys are kept: `postgresql://user@host/name`; a SQLite file in the data home if empty."
    )
    response_days: float = _setting(30.0, "Days that a stored response is kept.", low=0, high=36500)
    guard_control_text: bool = _setting(
        True, "Break what a message says of the model's own control texts, so that it cannot end or begin a turn."
    )
    fetch_images: bool = _setting(True, "Fetch images that a request names by a public http or https address.")
    image_most_bytes: int = _setting(20 * 2**20, "Largest image that is fetched or decoded.", low=1024, high=2**31)
    fetch_timeout_s: float = _setting(10.0, "Seconds that fetching one image may take.", low=0.1, high=600)
    model_folders: str = _setting(
        "", "Folders whose models are listed and served where they lie, separated by ':' (';' on Windows)."
    )
    scan_others: bool = _setting(
        True, "List the models that the hub's cache, LM Studio and Ollama keep. Nothing is ever written there."
    )
    lmstudio_folder: str = _setting("", "LM Studio's folder of models; the usual ones if empty.")
    ollama_folder: str = _setting("", "Ollama's folder of models; OLLAMA_MODELS or the usual ones if empty.")
    downloads_at_once: int = _setting(2, "Downloads that run at once; further ones wait.", low=1, high=16)
    lend_hub_token: bool = _setting(
        False, "Use this server's hub token (HF_TOKEN, or a kept one) for downloads that are asked for over the API."
    )
    engine: str = _setting(
        "",
        "Engine: a build of `paddock engine list`, a llama-server's path, or `embedded`; empty: the active one.",
    )
    engine_mirror: str = _setting("", "Address that serves llama.cpp's releases in place of GitHub.")
    record: bool = _setting(False, "Keep every request in the flight recorder; `x-paddock-record: 1` keeps one.")
    record_most_bytes: int = _setting(
        256 * 2**20, "Space for recorded requests; the oldest leave first.", low=0, high=2**50
    )
    record_days: float = _setting(7.0, "Days that a recorded request is kept.", low=0, high=36500)
    receive_timeout_s: float = _setting(
        60.0, "Seconds in which a request's head must come, and each further piece of its body.", low=0.1, high=86400
    )
    shutdown_grace_s: float = _setting(
        10.0, "Seconds that requests under way have to finish when paddock is stopped.", low=0, high=86400
    )
    require_login: bool = _setting(False, "Ask for a key or a sign-in on loopback too.")
    server_names: str = _setting("", "Names by which browsers reach this paddock, beside its address, between commas.")
    trusted_proxies: str = _setting("", "Addresses of proxies whose word on clients is taken, between commas.")
    tls_cert: str = _setting("", "A certificate in PEM: paddock speaks HTTPS. `self-signed` makes one.")
    tls_key: str = _setting("", "The key of the certificate, where it is not in the same file.")
    unsafe_no_auth: bool = _setting(False, "Listen beyond loopback although nobody is asked for a key.")
    search_address: str = _setting(
        "", "The address of a SearXNG that answers as JSON, which the tool web_search asks; empty turns that off."
    )
    knowledge_model: str = _setting(
        "", "The embedding model by which documents are found by their meaning; by their words alone if empty."
    )
    tools_network: bool = _setting(
        False, "Let code that models write reach whatever this machine reaches, this paddock included."
    )
    tools_unsafe: bool = _setting(
        False, "Run code that models write without walls, as paddock's own user: in a container, or not at all."
    )
    log_level: str = _setting(
        "warning", "Least severe log line that is printed: debug, info, warning or error.", choices=LOG_LEVELS
    )
    log_format: str = _setting(
        "text", "How log lines are printed: text, or json for one object a line.", choices=("text", "json")
    )
    trace_endpoint: str = _setting(
        "", "Address of an OpenTelemetry collector (OTLP over HTTP) that is sent traces; none is sent if empty."
    )

    def listed(self, name: str) -> list[str]:
        """The parts of a setting that holds several, between commas."""
        return [part.strip() for part in str(getattr(self, name)).split(",") if part.strip()]

    sources: Mapping[str, Source] = field(default_factory=dict[str, Source], repr=False)
    home: Home = field(default_factory=lambda: Home(root=default_root()), repr=False)


# What opens this machine to others, leads to other programs or lends a secret is for its owner's hands alone.
_BY_HAND = frozenset(
    (
        "host", "allowed_origins", "server_names", "trusted_proxies", "tls_cert", "tls_key", "require_key",
        "require_login", "unsafe_no_auth", "database_url", "engine", "engine_mirror",
        "lend_hub_token", "trace_endpoint", "search_address", "tools_network", "tools_unsafe",
    )
)  # fmt: skip
_ADDRESSES = frozenset(("database_url", "engine_mirror", "trace_endpoint", "search_address"))
# What is run, or where it is fetched from.
_PROGRAMS = ("engine", "engine_mirror")
NAMES: tuple[str, ...] = tuple(f.name for f in fields(Settings) if "help" in f.metadata)
_TYPED_ONLY = ("unsafe_no_auth", "tools_unsafe")


def describe(name: str) -> str:
    """The help text of one setting."""
    return str(Settings.__dataclass_fields__[name].metadata["help"])


def load(flags: Mapping[str, Value | None] | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from flags over environment over file over defaults.

    Args:
        flags: values typed on the command line; None means not typed.
        environ: the environment; the process's own by default.

    Raises:
        SettingInvalid: a value has the wrong type or range, or the file is not TOML or holds an unknown name.
    """
    env = dict(os.environ if environ is None else environ)
    home = Home(root=default_root(env))
    values: dict[str, Any] = {}
    sources: dict[str, Source] = dict.fromkeys(NAMES, "default")
    for name, raw in _from_file(home.config_file).items():
        values[name], sources[name] = checked(name, raw, f"config.toml: {name}"), "file"
        _refuse_untyped(name, f"config.toml: {name}")
    for name in NAMES:
        variable = f"PADDOCK_{name.upper()}"
        if env.get(variable, "") != "":
            values[name], sources[name] = checked(name, env[variable], variable), "environment"
            _refuse_untyped(name, variable)
    for name, raw in (flags or {}).items():
        if raw is not None:
            values[name], sources[name] = checked(name, raw, f"--{name.replace('_', '-')}"), "flag"
    return Settings(**values, sources=sources, home=home)


def is_by_hand(name: str) -> bool:
    """Whether a setting is changed at this machine alone, never over the API."""
    return name in _BY_HAND


def names_program(name: str) -> bool:
    """Whether a setting names a program that is run, or where such come from."""
    return name in _PROGRAMS


def shown_value(name: str, value: Value) -> Value:
    """A setting's value as it may be shown. One that should be an address and is none may hold anything."""
    if name not in _ADDRESSES:
        return masked(value) if isinstance(value, str) else value
    return masked_address(str(value)) if "://" in str(value) else "…" if value else ""


def in_file(home: Home) -> dict[str, Value]:
    """What `config.toml` holds at present, checked. Raises SettingInvalid."""
    found = _from_file(home.config_file)
    return {name: checked(name, raw, f"config.toml: {name}") for name, raw in found.items()}


def change_file(home: Home, changes: Mapping[str, Value | None]) -> None:
    """Set values, checked before, in `config.toml`; None takes one out. All else in it stays, comments too.

    Raises:
        SettingInvalid: the file cannot be read; it is as it was.
        HomeUnusable: it cannot be written; it is as it was.
    """
    import tomlkit

    path = home.config_file
    try:
        with alone(path):
            _from_file(path)
            # Read and written with its own line ends.
            document = tomlkit.parse(path.read_bytes().decode("utf-8") if path.exists() else "")
            for name, value in changes.items():
                if value is not None:
                    document[name] = value
                elif name in document:
                    del document[name]
            write_whole(path, tomlkit.dumps(document))
    except OSError as error:
        reason = error.strerror or error
        raise HomeUnusable(
            f"config.toml in the data home cannot be written ({reason}). Free space, or mend its rights."
        ) from error


def without_passwords(text: str) -> str:
    """What `config.toml` holds without the passwords of addresses, in comments too."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text)
    except TOMLKitError:
        return masked(text)
    held: dict[str, Any] = document.unwrap()
    for name, value in held.items():
        if isinstance(value, str) and (shown := shown_value(name, value)) != value:
            document[name] = shown
    return masked(tomlkit.dumps(document))


def _refuse_untyped(name: str, where: str) -> None:
    """What opens this machine to others must be typed each time, not forgotten in a file."""
    if name in _TYPED_ONLY:
        raise SettingInvalid(
            f"{where} is set, but this can only be typed: --{name.replace('_', '-')}. Remove it there."
        )


def parsed(data: bytes) -> dict[str, Any]:
    """What a `config.toml` of these bytes holds, unchecked; whoever reads one reads it by this. Raises ValueError.

    Its bytes are taken as they are: to read a text would make line ends of what TOML calls none.
    """
    try:
        return tomllib.loads(data.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _from_file(path: Path) -> dict[str, Any]:
    try:
        table = parsed(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        # A file where the home should be is told when the home is made.
        return {}
    except (OSError, ValueError) as error:
        raise SettingInvalid(f"config.toml in the data home cannot be read: {error}. Mend or remove it.") from error
    unknown = sorted(set(table) - set(NAMES))
    if unknown:
        raise SettingInvalid(f"config.toml holds '{unknown[0]}', which is no setting. Settings: {', '.join(NAMES)}.")
    return table


def checked(name: str, raw: object, where: str) -> Value:
    """`raw` as the setting's own type, within its range; `where` names it in an error. Raises SettingInvalid."""
    spec = Settings.__dataclass_fields__[name]
    default: Value = spec.default
    value = converted(type(default), raw, where, low=spec.metadata["low"], high=spec.metadata["high"])
    choices: tuple[str, ...] | None = spec.metadata["choices"]
    if choices and value not in choices:
        raise SettingInvalid(f"{where} is {value!r}; it must be one of {', '.join(choices)}.")
    return value
