"""Owns making models of several architectures with random weights, which the real engine loads; measures nothing.

Shapes are those that llama.cpp asks for. The weights of one layer are made once and written for every layer: only their
size matters here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gguf
import numpy

_SPECIAL = 259
_SEED = 7


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a model is made of. `is_tied`: its table of tokens is also what is behind the last layer.

    `more` are keys of its header beyond the common ones, without the architecture.
    """

    architecture: str
    width: int
    layers: int
    heads: int = 8
    key_heads: int | tuple[int, ...] = 2
    head: int = 64
    feed_forward: int = 1024
    vocabulary: int = 4096
    quantisation: str = "F16"
    is_tied: bool = False
    more: dict[str, int | list[bool]] = field(default_factory=dict[str, "int | list[bool]"])


def write(path: Path, recipe: Recipe) -> None:
    """Write the model that a recipe describes."""
    writer: Any = gguf.GGUFWriter(path, recipe.architecture)
    writer.add_context_length(2**20)
    writer.add_embedding_length(recipe.width)
    writer.add_block_count(recipe.layers)
    writer.add_feed_forward_length(recipe.feed_forward)
    writer.add_head_count(recipe.heads)
    key_heads = recipe.key_heads
    writer.add_head_count_kv(list(key_heads) if isinstance(key_heads, tuple) else key_heads)
    writer.add_key_length(recipe.head)
    writer.add_value_length(recipe.head)
    writer.add_layer_norm_rms_eps(1e-5)
    for key, value in recipe.more.items():
        name = f"{recipe.architecture}.{key}"
        if isinstance(value, list):
            writer.add_array(name, value)
        else:
            # A key may be told twice: what a recipe says of its own holds.
            writer.kv_data[0].pop(name, None)
            writer.add_uint32(name, value)
    _add_vocabulary(writer, recipe.vocabulary)
    made: dict[tuple[Any, ...], Any] = {}
    for name, shape in (*_outer(recipe), *(one for layer in range(recipe.layers) for one in _layer(recipe, layer))):
        _add(writer, name, shape, recipe.quantisation, made)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_vocabulary(writer: Any, size: int) -> None:
    """A vocabulary of single bytes and made-up pieces."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    pieces += [f"\u2581p{number}" for number in range(size - _SPECIAL)]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(pieces)
    writer.add_token_scores([0.0] * size)
    writer.add_token_types([2, 3, 3] + [6] * 256 + [1] * (size - _SPECIAL))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)


def _add(writer: Any, name: str, shape: tuple[int, ...], quantisation: str, made: dict[tuple[Any, ...], Any]) -> None:
    is_small = len(shape) == 1 or "conv" in name or name.endswith(("ssm_a", "ssm_d", "gate_inp.weight"))
    kind = "F32" if is_small else quantisation
    key = (shape, kind)
    if key not in made:
        chance = numpy.random.default_rng(_SEED)
        values = chance.standard_normal(shape, dtype=numpy.float32) * 0.02 + (1 if len(shape) == 1 else 0)
        made[key] = gguf.quants.quantize(values, gguf.GGMLQuantizationType[kind])
    writer.add_tensor(name, made[key], raw_dtype=gguf.GGMLQuantizationType[kind])


def _outer(recipe: Recipe) -> list[tuple[str, tuple[int, ...]]]:
    norm = "token_embd_norm" if recipe.architecture == "lfm2" else "output_norm"
    table = (recipe.vocabulary, recipe.width)
    behind = [] if recipe.is_tied else [("output.weight", table)]
    return [("token_embd.weight", table), (f"{norm}.weight", (recipe.width,)), *behind]


def _layer(recipe: Recipe, layer: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The tensors of one layer, in numpy's order of dimensions (the last one varies fastest)."""
    key_heads = recipe.key_heads[layer] if isinstance(recipe.key_heads, tuple) else recipe.key_heads
    parts: dict[str, tuple[int, ...]] = {"attn_norm": (recipe.width,)}
    if recipe.architecture == "mamba":
        parts.update(_mamba(recipe))
    elif recipe.architecture == "lfm2" and key_heads == 0:
        kernel, width = int(str(recipe.more["shortconv.l_cache"])), recipe.width
        parts["shortconv.conv"] = (width, kernel)
        parts["shortconv.in_proj"] = (3 * width, width)
        parts["shortconv.out_proj"] = (width, width)
    elif recipe.architecture == "deepseek2":
        parts.update(_compressed(recipe))
    else:
        parts.update(_attention(recipe, key_heads))
    if recipe.architecture != "mamba":
        parts.update(_feed_forward(recipe))
    for name, shape in parts.items():
        is_bare = name.startswith("ssm_") and name in ("ssm_a", "ssm_d")
        tensor = name if is_bare or name.endswith(".bias") else f"{name}.weight"
        yield f"blk.{layer}.{tensor}", shape


def _attention(recipe: Recipe, key_heads: int) -> dict[str, tuple[int, ...]]:
    width, head = recipe.width, recipe.head
    parts: dict[str, tuple[int, ...]] = {
        "attn_q": (recipe.heads * head, width),
        "attn_k": (key_heads * head, width),
        "attn_v": (key_heads * head, width),
        "attn_output": (width, recipe.heads * head),
    }
    if recipe.architecture == "qwen2":
        parts |= {f"{name}.bias": (parts[name][0],) for name in ("attn_q", "attn_k", "attn_v")}
    if recipe.architecture in ("qwen3", "qwen3moe", "gemma3", "lfm2"):
        parts |= {"attn_q_norm": (head,), "attn_k_norm": (head,)}
    if recipe.architecture == "gemma3":
        parts |= {"post_attention_norm": (width,), "post_ffw_norm": (width,)}
    return parts


def _feed_forward(recipe: Recipe) -> dict[str, tuple[int, ...]]:
    width, experts = recipe.width, int(str(recipe.more.get("expert_count", 0)))
    if experts and recipe.architecture == "qwen3moe":
        inner = int(str(recipe.more["expert_feed_forward_length"]))
        return {
            "ffn_norm": (width,),
            "ffn_gate_inp": (experts, width),
            "ffn_gate_exps": (experts, inner, width),
            "ffn_up_exps": (experts, inner, width),
            "ffn_down_exps": (experts, width, inner),
        }
    inner = recipe.feed_forward
    return {"ffn_norm": (width,), "ffn_gate": (inner, width), "ffn_up": (inner, width), "ffn_down": (width, inner)}


def _compressed(recipe: Recipe) -> dict[str, tuple[int, ...]]:
    """Attention whose keys and values are kept as one short vector."""
    rank, turned = int(str(recipe.more["attention.kv_lora_rank"])), int(str(recipe.more["rope.dimension_count"]))
    key = int(str(recipe.more["attention.key_length_mla"]))
    value = int(str(recipe.more["attention.value_length_mla"]))
    query = int(str(recipe.more["attention.q_lora_rank"]))
    return {
        "attn_q_a": (query, recipe.width),
        "attn_q_a_norm": (query,),
        "attn_q_b": (recipe.heads * key, query),
        "attn_kv_a_mqa": (rank + turned, recipe.width),
        "attn_kv_a_norm": (rank,),
        "attn_k_b": (recipe.heads, rank, key - turned),
        "attn_v_b": (recipe.heads, value, rank),
        "attn_output": (recipe.width, recipe.heads * value),
    }


def _mamba(recipe: Recipe) -> dict[str, tuple[int, ...]]:
    inner, state = int(str(recipe.more["ssm.inner_size"])), int(str(recipe.more["ssm.state_size"]))
    kernel, rank = int(str(recipe.more["ssm.conv_kernel"])), int(str(recipe.more["ssm.time_step_rank"]))
    return {
        "ssm_in": (2 * inner, recipe.width),
        "ssm_conv1d": (inner, kernel),
        "ssm_conv1d.bias": (inner,),
        "ssm_x": (rank + 2 * state, inner),
        "ssm_dt": (inner, rank),
        "ssm_dt.bias": (inner,),
        "ssm_a": (inner, state),
        "ssm_d": (inner,),
        "ssm_out": (recipe.width, inner),
    }
