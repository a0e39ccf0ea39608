"""Reading `ORG/REPO[:QUANT]`, choosing among a repository's files, and whose fault a failed pull is."""

from __future__ import annotations

import inspect
from pathlib import Path

import httpx2
import pytest
from huggingface_hub import errors
from hypothesis import given, settings
from hypothesis import strategies as st

from paddock.errors import BadRequest, HomeUnusable, HubUnavailable, PaddockError
from paddock.models.hub_choice import Choice, HubFile, Spec, choose, parse_spec
from paddock.models.hub_errors import hub_errors
from paddock.models.records import record_path

# Of the library's own exceptions, those that belong to parts of it that a download never meets.
ELSEWHERE = (
    *("CLI", "CachedRepoTree", "CacheNot", "Conf", "DDUF", "Device", "Dry", "FileDup", "HfUri", "Inference", "Invalid"),
    *("LocalToken", "NotASafe", "OAuth", "OIDC", "Safetensors", "Sandbox", "Strict"),
)


def files(*names: str, size_bytes: int = 10) -> list[HubFile]:
    return [HubFile(name=name, size_bytes=size_bytes + n, digest="sha256:" + "0" * 64) for n, name in enumerate(names)]


def chosen(spec: str, *names: str) -> Choice:
    return choose(parse_spec(spec), files(*names))


@pytest.mark.parametrize(
    ("text", "repo", "quant"),
    [
        ("a/b", "a/b", None),
        ("Org-1/Model.v2_GGUF:q4_k_m", "Org-1/Model.v2_GGUF", "q4_k_m"),
        (" a/b:Q8_0 ", "a/b", "Q8_0"),
    ],
)
def test_a_spec_is_read(text: str, repo: str, quant: str | None) -> None:
    assert parse_spec(text) == Spec(repo=repo, quant=quant)


@pytest.mark.parametrize(
    "text", ["", "a", "a/b/c", "a/b:", "/b", "a/", "../b", "a/..", "a--x/b", "a/b:../x", "a b/c", "a/b\0"]
)
def test_a_spec_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="Write ORG/REPO or ORG/REPO:QUANT"):
        parse_spec(text)


@settings(max_examples=50)
@given(text=st.text(max_size=20))
def test_any_text_is_a_spec_or_a_bad_request(text: str) -> None:
    try:
        spec = parse_spec(text)
    except BadRequest:
        return
    path = record_path(Path("/home"), f"{spec.repo}:{spec.quant}")
    assert path.parent == Path("/home")


def test_the_usual_quantisation_is_preferred() -> None:
    choice = chosen("a/b", "m-F16.gguf", "m-Q8_0.gguf", "m-Q4_K_M.gguf", "m-Q2_K.gguf", "README.md")
    assert (choice.quant, choice.files[0].name) == ("Q4_K_M", "m-Q4_K_M.gguf")
    assert choice.available == ("F16", "Q2_K", "Q4_K_M", "Q8_0")


def test_without_a_usual_one_the_smallest_is_taken() -> None:
    assert chosen("a/b", "m-IQ1_S.gguf", "m-TQ1_0.gguf").quant == "IQ1_S"


@pytest.mark.parametrize(
    "name", ["m.Q4_K_M.gguf", "m-q4_k_m.gguf", "sub/m_Q4_K_M.gguf", "Q4_K_M.gguf", "Q4_K_M/m.GGUF"]
)
def test_a_quantisation_is_read_from_many_spellings(name: str) -> None:
    assert chosen("a/b:q4_K_m", name, "m-Q8_0.gguf").files[0].name == name


def test_spellings_with_more_words_are_told_apart() -> None:
    names = ("m-UD-Q4_K_XL.gguf", "m-Q4_K_S.gguf", "m-fp16.gguf", "m-MXFP4_MOE.gguf")
    assert chosen("a/b", *names).available == ("F16", "MXFP4_MOE", "Q4_K_S", "UD-Q4_K_XL")
    assert chosen("a/b:f16", *names).files[0].name == "m-fp16.gguf"


def test_all_parts_of_a_split_model_are_taken() -> None:
    names = [f"Q8_0/m-Q8_0-{number:05}-of-00003.gguf" for number in (3, 1, 2)]
    choice = chosen("a/b:Q8_0", *names, "m-Q4_K_M.gguf")
    assert [file.name for file in choice.files] == sorted(names)


def test_a_split_model_with_a_missing_part_is_not_offered() -> None:
    assert chosen("a/b", "m-Q8_0-00001-of-00002.gguf", "m-Q2_K.gguf").available == ("Q2_K",)


def test_projectors_and_matrices_are_not_models() -> None:
    assert chosen("a/b", "mmproj-F16.gguf", "m-mmproj-Q8_0.gguf", "imatrix.gguf", "m-Q6_K.gguf").available == ("Q6_K",)


def test_a_file_without_a_quantisation_in_its_name_goes_by_its_stem() -> None:
    assert chosen("a/b", "tiny.gguf").quant == "tiny"
    assert chosen("a/b:TINY", "tiny.gguf", "other.gguf").files[0].name == "tiny.gguf"


@pytest.mark.parametrize(
    ("names", "projector"),
    [
        (("m-Q8_0.gguf", "mmproj-F16.gguf", "mmproj-BF16.gguf", "mmproj-F32.gguf"), "mmproj-F16.gguf"),
        (("Q8_0/m-Q8_0.gguf", "mmproj-model-f16.gguf"), "mmproj-model-f16.gguf"),
        (("m-Q8_0.gguf", "m-Q4_0.gguf", "mmproj-m-f16.gguf"), "mmproj-m-f16.gguf"),
        (("m-Q8_0.gguf", "other-Q4_0.gguf", "mmproj-F16.gguf"), None),
        (("m-Q8_0.gguf", "mmproj-other-F16.gguf"), None),
        (("m-Q8_0.gguf", "mmproj-1-F16.gguf", "mmproj-2-F16.gguf"), None),
        (("m-Q8_0.gguf",), None),
    ],
)
def test_a_projector_comes_along_where_one_is_certain(names: tuple[str, ...], projector: str | None) -> None:
    found = chosen("a/b:Q8_0", *names).projector
    assert (found.name if found else None) == projector


def test_two_models_of_one_quantisation_need_a_name() -> None:
    with pytest.raises(BadRequest, match="holds several models: 'base-Q8_0', 'chat-Q8_0'"):
        chosen("a/b:Q8_0", "base-Q8_0.gguf", "chat-Q8_0.gguf")
    choice = chosen("a/b:chat-q8_0", "base-Q8_0.gguf", "chat-Q8_0.gguf")
    assert (choice.quant, choice.files[0].name) == ("chat-Q8_0", "chat-Q8_0.gguf")


def test_a_repository_without_gguf_files_says_what_it_holds() -> None:
    with pytest.raises(HubUnavailable, match=r"holds no GGUF model. It holds 2 files \(.json, .safetensors\)"):
        chosen("a/b", "config.json", "model.safetensors")
    with pytest.raises(HubUnavailable, match="It is empty"):
        chosen("a/b")


def test_an_absent_quantisation_says_what_there_is() -> None:
    with pytest.raises(HubUnavailable, match=r"has no quantisation 'Q2_K'. It has: F16, Q8_0"):
        chosen("a/b:Q2_K", "m-F16.gguf", "m-Q8_0.gguf")


def foreign_exceptions() -> list[type[Exception]]:
    library = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]
    client = [kind for _, kind in inspect.getmembers(httpx2, inspect.isclass)]
    kinds = {kind for kind in [*library, *client] if issubclass(kind, Exception) and not issubclass(kind, Warning)}
    return sorted(
        (kind for kind in kinds if not kind.__name__.startswith(ELSEWHERE)), key=lambda kind: kind.__qualname__
    )


def made(kind: type[Exception]) -> Exception:
    """An instance with what its handlers look at, whatever its constructor wants."""
    error = kind.__new__(kind)
    Exception.__init__(error, "told by a library with /a/path")
    response = httpx2.Response(404, request=httpx2.Request("GET", "http://127.0.0.1/"))
    error.__dict__["response"] = response
    return error


@pytest.mark.parametrize("kind", foreign_exceptions(), ids=lambda kind: kind.__name__)
def test_no_exception_of_the_library_or_its_client_gets_through(kind: type[Exception]) -> None:
    with pytest.raises(PaddockError) as caught, hub_errors("a/b", "hub.example"):
        raise made(kind)
    assert "/a/path" not in caught.value.message
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "set HF_TOKEN"),
        (403, "does not let this account read 'a/b'"),
        (404, "There is no repository 'a/b' on hub.example, or it is private"),
        (429, "too many requests"),
        (500, "answered with status 500"),
    ],
)
def test_a_refusal_says_what_to_do(status: int, words: str) -> None:
    response = httpx2.Response(status, request=httpx2.Request("GET", "http://127.0.0.1/"))
    with pytest.raises(HubUnavailable, match=words), hub_errors("a/b", "hub.example"):
        raise errors.HfHubHTTPError("no", response=response)


def test_a_full_disk_is_the_cache_s_trouble() -> None:
    with pytest.raises(HomeUnusable, match="No space left on device"), hub_errors("a/b", "hub.example"):
        raise OSError(28, "No space left on device", "/secret/place")


def test_our_own_errors_pass_unchanged() -> None:
    ours = BadRequest("as it was")
    with pytest.raises(BadRequest) as caught, hub_errors("a/b", "hub.example"):
        raise ours
    assert caught.value is ours
