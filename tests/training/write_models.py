"""Writes very small models of chance weights, one of each architecture, each with a tokenizer of the kind that
its converter reads: `write_models.py FOLDER NAME ...`, run with the Python of the stack. FOLDER/NAME is one model.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import sentencepiece
import torch
import transformers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

WORDS = 384
_TURN, _END, _TEXT_END = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
_TEMPLATE = """{%- if tools %}{{ '<|im_start|>system\\nTools: ' + (tools | tojson) + '<|im_end|>\\n' }}{% endif %}
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' + (message.content or '') }}
{%- for call in message.tool_calls or [] %}{{ '<tool_call>' + (call.function | tojson) + '</tool_call>' }}{% endfor %}
{{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""
_TEXT = """The llama went up the hill, ate of the hay, and came down again before it was dark. Hello! What is a llama?
Count from one to five. Write a haiku about rain. Name three rivers. Answer in one sentence. What is the weather in
Lisbon? Search for adapters. def add(a, b): return a + b. Is 17 a prime number? https://example.org/a?b=c&d=20
{"type": "function", "function": {"name": "get_weather", "description": "Does what is called", "parameters": {}}}
Grüße aus Köln. Привет, как дела? 今日はいい天気ですね。 Translate 'good morning' into French.
system user assistant tool
"""
_LETTERS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_SPLITS = {"qwen": _LETTERS + _REST, "llama": _LETTERS + "{1,3}" + _REST}
_COMMON = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 32, "max_position_embeddings": 4096, "initializer_range": 0.1,
}  # fmt: skip
_STATES = {"hidden_size": 64, "num_hidden_layers": 3, "state_size": 16, "initializer_range": 0.1}
# Of a thousand million numbers, for what is measured.
_LARGE = {
    **_COMMON, "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 17, "num_attention_heads": 32,
    "num_key_value_heads": 8, "head_dim": 64, "initializer_range": 0.02, "tie_word_embeddings": True,
}  # fmt: skip
# By name: its config and what that is told beyond the common, and its tokenizer.
RECIPES: dict[str, tuple[str, dict[str, Any], str]] = {
    "llama": ("LlamaConfig", {**_COMMON}, "llama"),
    "mistral": ("MistralConfig", {**_COMMON, "sliding_window": None}, "pieces"),
    "qwen2": ("Qwen2Config", {**_COMMON, "head_dim": 16, "tie_word_embeddings": True}, "qwen"),
    "qwen3": ("Qwen3Config", {**_COMMON}, "qwen"),
    "qwen3-moe": (
        "Qwen3MoeConfig",
        {**_COMMON, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 64, "norm_topk_prob": True},
        "qwen",
    ),
    "gemma2": ("Gemma2Config", {**_COMMON, "query_pre_attn_scalar": 32, "sliding_window": 256}, "gemma"),
    "gemma3": (
        "Gemma3TextConfig",
        {**_COMMON, "num_hidden_layers": 6, "query_pre_attn_scalar": 32, "sliding_window": 256},
        "gemma",
    ),
    # A scale of attention that its file cannot say: the engine takes that of the heads' width.
    "gemma3-scaled": (
        "Gemma3TextConfig",
        {**_COMMON, "num_hidden_layers": 6, "query_pre_attn_scalar": 256, "sliding_window": 256},
        "gemma",
    ),
    "phi3": ("Phi3Config", {**_COMMON, "num_key_value_heads": 4, "head_dim": 16}, "phi"),
    "lfm2": (
        "Lfm2Config",
        {
            **_COMMON,
            "head_dim": 16,
            "layer_types": ["conv", "full_attention", "conv"],
            "block_auto_adjust_ff_dim": False,
        },
        "qwen",
    ),
    "mamba": ("MambaConfig", {**_STATES}, "qwen"),
    "large": ("MistralConfig", {**_LARGE, "sliding_window": None}, "pieces"),
}


def write(folder: Path, name: str) -> None:
    """A model and its tokenizer."""
    kind, told, words = RECIPES[name]
    folder.mkdir(parents=True)
    ends = _bytes(folder, words) if words in _SPLITS else _pieces(folder, words)
    torch.manual_seed(7)
    config: Any = getattr(transformers, kind)(vocab_size=WORDS, **{"pad_token_id": 0, **told, **ends})
    model: Any = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    _shake(model)
    model.save_pretrained(folder)


def _shake(model: Any) -> None:
    """Norms and biases begin as ones and noughts, of which much that goes wrong shows nothing."""
    with torch.no_grad():
        for numbers in model.parameters():
            if numbers.dim() == 1:
                numbers.add_(0.1 * torch.randn_like(numbers))


def _bytes(folder: Path, split: str) -> dict[str, Any]:
    """A tokenizer of pieces of bytes."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLITS[split]), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=WORDS, special_tokens=[_TEXT_END, _TURN, _END], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )  # fmt: skip
    made.train_from_iterator(_TEXT.splitlines(), trainer)
    assert made.get_vocab_size() == WORDS, made.get_vocab_size()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token=_END, pad_token=_TEXT_END, additional_special_tokens=[_TURN]
    )
    fast.chat_template = _TEMPLATE
    fast.save_pretrained(folder)
    return {"eos_token_id": made.token_to_id(_END), "bos_token_id": None}


def _pieces(folder: Path, kind: str) -> dict[str, Any]:
    """A tokenizer of SentencePiece, whose own file the converter reads, and the same as Transformers reads it."""
    has_prefix = kind != "gemma"
    with tempfile.TemporaryDirectory() as temporary:
        text = Path(temporary) / "text"
        text.write_text(_TEXT, "utf-8")
        sentencepiece.SentencePieceTrainer.train(
            input=str(text), model_prefix=f"{temporary}/tokenizer", vocab_size=WORDS, model_type="bpe",
            byte_fallback=True, character_coverage=0.98, normalization_rule_name="identity",
            remove_extra_whitespaces=False, add_dummy_prefix=has_prefix, split_digits=True,
            control_symbols=[_TEXT_END, _TURN, _END], minloglevel=2,
        )  # fmt: skip
        shutil.copy(f"{temporary}/tokenizer.model", folder)
    read = sentencepiece.SentencePieceProcessor(str(folder / "tokenizer.model"))
    vocabulary = {read.id_to_piece(one): one for one in range(read.get_piece_size())}
    # Of two parts, that is joined first which makes the earlier piece.
    merges = [
        (piece[:at], piece[at:])
        for piece in vocabulary
        for at in range(1, len(piece))
        if not piece.startswith("<") and piece[:at] in vocabulary and piece[at:] in vocabulary
    ]
    made = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    before = [normalizers.Prepend("\u2581")] if has_prefix else []
    made.normalizer = normalizers.Sequence([*before, normalizers.Replace(" ", "\u2581")])
    behind = [decoders.Strip(" ", 1, 0)] if has_prefix else []
    made.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), *behind]
    )
    made.post_processor = processors.TemplateProcessing("<s> $A", "<s> $A <s> $B", [("<s>", 1)])
    # The engine drops what is blank behind the special tokens of a Phi-3, and so must its tokenizer.
    end, turn = (AddedToken(one, rstrip=kind == "phi", special=True, normalized=False) for one in (_END, _TURN))
    fast = PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token=end, unk_token="<unk>", pad_token="<unk>",
        additional_special_tokens=[turn], add_bos_token=True,
    )  # fmt: skip
    fast.chat_template = "{{ bos_token }}" + _TEMPLATE
    fast.save_pretrained(folder)
    return {"eos_token_id": vocabulary[_END], "bos_token_id": 1}


def main(folder: str, *names: str) -> None:
    """Write those named."""
    for name in names:
        write(Path(folder) / name, name)


if __name__ == "__main__":
    # Its own folder holds modules whose names must hide no library's.
    sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != Path(__file__).resolve().parent]
    main(*sys.argv[1:])
