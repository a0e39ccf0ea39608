"""Tests which family a model's file is taken for, and that every row of the data can be trusted as far as it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from paddock.models.families import SAMPLING, families, family_of, in_file, plain
from paddock.models.gguf import GgufHeader, read_header
from paddock.models.saved import checked
from tests.fakes.gguf_files import gguf

# Of each family: architectures and names as converters write them.
NAMED: dict[str, list[tuple[str, str]]] = {
    "qwen3.6": [("qwen35moe", "Qwen3.6 35B A3B"), ("qwen35", "Qwen3.6-27B")],
    "qwen3.5": [("qwen35", "Qwen3.5 4B"), ("qwen35moe", "Qwen3.5-35B-A3B")],
    "qwen3-coder": [("qwen3moe", "Qwen3 Coder 30B A3B Instruct"), ("qwen3next", "Qwen3-Coder-Next")],
    "qwen3-instruct-2507": [("qwen3moe", "Qwen3 30B A3B Instruct 2507"), ("qwen3", "Qwen3-4B-Instruct-2507")],
    "qwen3-thinking-2507": [("qwen3moe", "Qwen3-30B-A3B-Thinking-2507")],
    "qwen3-next-instruct": [("qwen3next", "Qwen3 Next 80B A3B Instruct")],
    "qwen3-next-thinking": [("qwen3next", "Qwen3 Next 80B A3B Thinking")],
    "qwen3-vl-instruct": [("qwen3vl", "Qwen3 VL 8B Instruct"), ("qwen3vlmoe", "Qwen3-VL-30B-A3B-Instruct")],
    "qwen3-vl-thinking": [("qwen3vl", "Qwen3-VL-8B-Thinking")],
    "qwen3": [("qwen3", "Qwen3 8B"), ("qwen3", "Qwen3"), ("qwen3moe", "Qwen3-30B-A3B")],
    "qwq": [("qwen2", "QwQ 32B")],
    "qwen2.5-coder": [("qwen2", "Qwen2.5 Coder 7B Instruct")],
    "qwen2.5": [("qwen2", "Qwen2.5 7B Instruct"), ("qwen2", "Qwen2.5-0.5B-Instruct")],
    "qwen2": [("qwen2", "Qwen2 7B Instruct"), ("qwen2moe", "Qwen2-57B-A14B-Instruct")],
    "gemma-2": [("gemma2", "Gemma 2 9b It")],
    "gemma-3": [("gemma3", "Gemma 3 4b It"), ("gemma3", "google_gemma-3-27b-it")],
    "gemma-3n": [("gemma3n", "Gemma 3n E4B It")],
    "gemma-4": [("gemma4", "Gemma 4 31B It")],
    "llama-2": [("llama", "Llama 2 7b Chat Hf")],
    "llama-3": [("llama", "Meta Llama 3 8B Instruct")],
    "llama-3.1": [("llama", "Meta Llama 3.1 8B Instruct"), ("llama", "Llama-3.1-70B-Instruct")],
    "llama-3.2": [("llama", "Llama 3.2 3B Instruct")],
    "llama-3.3": [("llama", "Llama 3.3 70B Instruct")],
    "llama-4": [("llama4", "Llama 4 Scout 17B 16E Instruct")],
    "mistral-small-3": [
        ("llama", "Mistral Small 3.2 24B Instruct 2506"),
        ("llama", "Mistral Small 24B Instruct 2501"),
        ("llama", "Mistral-Small-3.1-24B-Instruct-2503"),
    ],
    "magistral": [("llama", "Magistral Small 2506")],
    "devstral": [("llama", "Devstral Small 2507"), ("mistral3", "Devstral-Small-2-24B-Instruct-2512")],
    "ministral-3": [("mistral3", "Ministral 3 8B Instruct 2512")],
    "mistral-nemo": [("llama", "Mistral Nemo Instruct 2407")],
    "mistral-7b": [("llama", "Mistral 7B Instruct v0.3")],
    "mixtral": [("llama", "Mixtral 8x7B Instruct v0.1")],
    "codestral": [("llama", "Codestral 22B v0.1")],
    "phi-2": [("phi2", "Phi 2"), ("phi2", "microsoft_phi-2")],
    "phi-3": [("phi3", "Phi 3 Mini 4k Instruct"), ("phi3", "Phi-3.5-mini-instruct")],
    "phi-4-reasoning": [("phi3", "Phi 4 Reasoning"), ("phi3", "Phi-4-reasoning-plus")],
    "phi-4-mini-reasoning": [("phi3", "Phi 4 Mini Reasoning")],
    "phi-4": [("phi3", "Phi 4"), ("phi3", "Phi-4-mini-instruct")],
    "glm-4": [("glm4", "GLM 4 32B 0414"), ("chatglm", "glm-4-9b-chat")],
    "glm-z1": [("glm4", "GLM Z1 32B 0414")],
    "glm-4.5": [("glm4moe", "GLM 4.5 Air")],
    "glm-4.6": [("glm4moe", "GLM-4.6")],
    "glm-4.7": [("glm4moe", "GLM 4.7"), ("deepseek2", "GLM-4.7-Flash")],
    "gpt-oss": [("gpt-oss", "Gpt Oss 20b"), ("gpt-oss", "openai_gpt-oss-120b")],
    "deepseek-v2": [("deepseek2", "DeepSeek V2 Lite Chat")],
    "deepseek-coder-v2": [("deepseek2", "DeepSeek Coder V2 Lite Instruct")],
    "deepseek-v3": [("deepseek2", "DeepSeek V3"), ("deepseek2", "DeepSeek-V3-0324")],
    "deepseek-v3.1": [("deepseek2", "DeepSeek V3.1")],
    "deepseek-r1-distill": [
        ("qwen2", "DeepSeek R1 Distill Qwen 7B"),
        ("llama", "DeepSeek-R1-Distill-Llama-8B"),
        ("qwen3", "DeepSeek R1 0528 Qwen3 8B"),
    ],
    "deepseek-r1": [("deepseek2", "DeepSeek R1"), ("deepseek2", "DeepSeek-R1-0528")],
    "granite-3": [("granite", "Granite 3.3 8b Instruct")],
    "granite-4": [("granitehybrid", "Granite 4.0 H Tiny"), ("granite", "ibm-granite-4.0-micro")],
    "nemotron-3": [("nemotron_h_moe", "NVIDIA Nemotron 3 Nano 30B A3B")],
    "nemotron-nano-2": [("nemotron_h", "NVIDIA Nemotron Nano 9B v2")],
    "llama-nemotron": [("llama", "Llama 3.1 Nemotron Nano 8B v1"), ("deci", "Llama-3.3-Nemotron-Super-49B-v1")],
    "minimax-m2": [("minimax-m2", "MiniMax M2"), ("minimax-m2", "MiniMax-M2.1")],
    "kimi-k2-thinking": [("deepseek2", "Kimi K2 Thinking")],
    "kimi-k2": [("deepseek2", "Kimi K2 Instruct 0905")],
    "lfm2": [("lfm2", "LFM2 1.2B"), ("lfm2moe", "LFM2-8B-A1B")],
    "lfm2.5": [("lfm2", "LFM2.5 1.2B Instruct")],
    "smollm2": [("llama", "SmolLM2 1.7B Instruct")],
    "smollm3": [("smollm3", "SmolLM3 3B")],
    "olmo-2": [("olmo2", "OLMo 2 1124 7B Instruct")],
    "olmo-3": [("olmo2", "Olmo 3 7B Think"), ("olmo2", "Olmo-3.1-32B-Instruct")],
    "falcon-3": [("llama", "Falcon3 7B Instruct")],
    "falcon-h1": [("falcon-h1", "Falcon H1 1.5B Instruct")],
    "yi-1.5": [("llama", "Yi 1.5 9B Chat")],
    "internlm3": [("llama", "Internlm3 8b Instruct")],
    "internlm2": [("internlm2", "internlm2.5-7b-chat")],
    "command-r": [("command-r", "C4ai Command R v01"), ("cohere2", "c4ai-command-r7b-12-2024")],
    "aya": [("command-r", "Aya Expanse 32b"), ("cohere2", "aya-expanse-8b")],
    "exaone-4": [("exaone4", "EXAONE 4.0 32B")],
    "exaone-3.5": [("exaone", "EXAONE 3.5 7.8B Instruct")],
    "hunyuan": [("hunyuan-moe", "Hunyuan A13B Instruct"), ("hunyuan-dense", "Hunyuan-7B-Instruct")],
    "ernie-4.5": [("ernie4_5-moe", "ERNIE 4.5 21B A3B PT")],
    "seed-oss": [("seed_oss", "Seed OSS 36B Instruct")],
    "apertus": [("apertus", "Apertus 8B Instruct 2509")],
    "jamba": [("jamba", "AI21 Jamba Reasoning 3B"), ("jamba", "AI21-Jamba-Mini-1.7")],
    "starcoder2": [("starcoder2", "Starcoder2 15b Instruct v0.1")],
    "tinyllama": [("llama", "TinyLlama 1.1B Chat v1.0")],
    "stablelm-2": [("stablelm", "Stablelm 2 1_6b Chat")],
    "baichuan2": [("baichuan", "Baichuan2 7B Chat")],
    "hermes-4": [("qwen3", "Hermes 4 14B"), ("llama", "Hermes-4-70B")],
    "hermes-3": [("llama", "Hermes 3 Llama 3.1 8B")],
    "trinity-mini": [("afmoe", "Trinity Mini")],
}
OF_NO_FAMILY = [
    ("qwen3", "Qwen3 8B Base"),
    ("qwen3", "Qwen3 Embedding 0.6B"),
    ("qwen2", "Qwen2.5 7B"),
    ("qwen2", "Qwen2.5 VL 7B Instruct"),
    ("llama", "Llama 3.1 8B"),
    ("gemma3", "Gemma 3 4b Pt"),
    ("llama", "Qwen3 8B"),
    ("qwen3", "My own Qwen3 8B"),
    ("qwen2", "pocket v0"),
    ("smollm3", "SmolLM3 3B Base"),
    ("llama", "Tiny"),
    ("qwen3", "Hermes"),
    ("qwen3next", "Qwen3 Next"),
]
EACH = [(family, *named) for family, names in NAMED.items() for named in names]


def header(folder: Path, architecture: str, name: str, **more: object) -> GgufHeader:
    """The header of a tiny file that says so of itself."""
    path = folder / "m.gguf"
    path.write_bytes(gguf(more={"general.architecture": architecture, "general.name": name, **more}))
    return read_header(path)


def test_every_family_has_its_names_here() -> None:
    assert len(families()) >= 50
    assert [family.name for family in families()] == list(dict.fromkeys(family.name for family in families()))
    assert set(NAMED) == {family.name for family in families()}


@pytest.mark.parametrize(("family", "architecture", "name"), EACH)
def test_a_file_is_taken_for_its_family(tmp_path: Path, family: str, architecture: str, name: str) -> None:
    found = family_of(header(tmp_path, architecture, name), "m")
    assert found is not None
    assert found.name == family


@pytest.mark.parametrize(("family", "architecture", "name"), EACH)
def test_no_name_fits_two_families(family: str, architecture: str, name: str) -> None:
    fitting = [row.name for row in families() if row.fits(architecture, plain(name))]
    assert fitting == [family]


@pytest.mark.parametrize(("architecture", "name"), OF_NO_FAMILY)
def test_what_is_of_no_family_gets_none(tmp_path: Path, architecture: str, name: str) -> None:
    assert family_of(header(tmp_path, architecture, name), "m") is None


def test_the_base_name_and_the_file_name_help_out(tmp_path: Path) -> None:
    by_base = header(tmp_path, "qwen3", "Models", **{"general.basename": "Qwen3"})
    assert getattr(family_of(by_base, "m"), "name", None) == "qwen3"
    tuned = header(tmp_path, "qwen2", "Qwen2.5 7B", **{"general.finetune": "Instruct"})
    assert getattr(family_of(tuned, "m"), "name", None) == "qwen2.5"
    unnamed = header(tmp_path, "qwen3", "")
    assert getattr(family_of(unnamed, "Qwen3-8B-Q4_K_M"), "name", None) == "qwen3"
    named = header(tmp_path, "qwen3", "Something")
    assert family_of(named, "Qwen3-8B-Q4_K_M") is None


@pytest.mark.parametrize("family", families(), ids=lambda family: family.name)
def test_a_row_is_verified_only_with_a_source_and_its_numbers_are_in_range(family: object) -> None:
    row = next(one for one in families() if one is family)
    assert row.verified == bool(row.source) == bool(row.says)
    assert row.sampling or row.thinking_sampling
    assert bool(row.thinking_sampling) == (row.thinking != "none")
    for numbers in (row.sampling, row.thinking_sampling):
        assert set(numbers) <= set(SAMPLING)
        assert all(checked(name, value) == value for name, value in numbers.items())


def test_qwen_35_and_36_think_from_9b_on_and_are_asked_as_their_cards_say() -> None:
    for name in ("qwen3.5", "qwen3.6"):
        row = next(family for family in families() if family.name == name)
        assert not row.thinks(4_600_000_000)
        assert row.thinks(8_950_000_000)
        plainly = {"temperature": 0.7, "top_p": 0.8, "top_k": 20, "min_p": 0.0, "presence_penalty": 1.5}
        assert {key: row.numbers(thinks=False)[key] for key in plainly} == plainly


def test_a_files_own_sampling_is_read_by_its_keys_without_noise(tmp_path: Path) -> None:
    said = {
        "temp": 0.7,
        "top_k": 20,
        "top_p": 0.95,
        "min_p": 0.05,
        "penalty_repeat": 1.05,
        "penalty_last_n": 64,
        "sequence": "k",
    }
    found = in_file(header(tmp_path, "llama", "x", **{f"general.sampling.{key}": value for key, value in said.items()}))
    assert found == {"temperature": 0.7, "top_k": 20, "top_p": 0.95, "min_p": 0.05, "repetition_penalty": 1.05}
