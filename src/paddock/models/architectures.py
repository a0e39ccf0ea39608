"""Owns what llama.cpp's families of architectures keep for each token and each request; knows no header and no bytes.

Source: llama.cpp's `llama-arch.cpp`, `llama-hparams.cpp`, `llama-model.cpp: create_memory` and the files under
`src/models`, read at build 11434. A name that is not here is a new one, and is judged by its header alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


KNOWN: Final = _names(
    """
    afmoe apertus arcee arctic arwkv7 baichuan bailingmoe bailingmoe2 bailingmoe3 bert bitnet bloom chameleon chatglm
    clef codeshell cogvlm cohere2 cohere2moe command-r dbrx deci deepseek deepseek2 deepseek2-ocr deepseek32 deepseek4
    dots1 dots3note dream ernie4_5 ernie4_5-moe eurobert exaone exaone-moe exaone4 falcon falcon-h1 gemma
    gemma-embedding gemma2 gemma3 gemma3n gemma4 glm-dsa glm4 glm4moe glm5-next gpt-oss gpt2 gptj gptneox granite
    granite_swa granitehybrid granitemoe graniteswitch grok grovemoe hrm_text hunyuan-dense hunyuan-moe hunyuan_vl hy_v3
    hy_v4 internlm2 jais jais2 jamba jina-bert-v2 jina-bert-v3 kimi-k3 kimi-linear laguna lfm2 lfm2moe llada llada-moe
    llama llama-embed llama4 maincoder mamba mamba2 maple mellum mimo2 minicpm minicpm3 minimax-01 minimax-m2 minimax-m3
    mistral3 mistral4 modern-bert mpt muse-glimmer nanbeige nemotron nemotron_h nemotron_h_moe neo-bert nomic-bert
    nomic-bert-moe olmo olmo2 olmoe openelm orion paddleocr pangu-embedded phi2 phi3 phimoe plamo plamo2 plamo3 plm
    qwen qwen2 qwen2moe qwen2vl qwen3 qwen35 qwen35moe qwen3moe qwen3next qwen3vl qwen3vlmoe qwen4exp refact rnd1 rwkv6
    rwkv6qwen2 rwkv7 seed_oss smallthinker smollm3 spark2_5 stablelm starcoder starcoder2 step35 t5 t5encoder talkie
    xverse
    """
)

# They read a text in one go and keep nothing of it.
WITHOUT_CACHE: Final = _names(
    """
    bert clef dream eurobert gemma-embedding jina-bert-v2 jina-bert-v3 llada llada-moe modern-bert neo-bert nomic-bert
    nomic-bert-moe rnd1
    """
)

# Every layer keeps a state of a fixed size and no tokens.
RECURRENT: Final = frozenset({"arwkv7", "mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7"})

# A layer whose count of key heads is 0 keeps a state instead of tokens.
HYBRID_BY_HEADS: Final = frozenset(
    {"bailingmoe3", "glm5-next", "granitehybrid", "jamba", "kimi-k3", "kimi-linear", "lfm2", "lfm2moe", "plamo2"}
)
# As above, unless the layer has a feed-forward part of its own, and then it keeps neither.
HYBRID_BY_HEADS_AND_FEED_FORWARD: Final = frozenset({"nemotron_h", "nemotron_h_moe"})
# Every layer keeps both.
HYBRID_IN_EACH_LAYER: Final = frozenset({"falcon-h1"})
# Every nth layer attends to tokens, all others keep a state.
HYBRID_BY_INTERVAL: Final = {"minimax-01": 8, "qwen35": 4, "qwen35moe": 4, "qwen3next": 4, "qwen4exp": 4}


@dataclass(frozen=True, kw_only=True)
class Sliding:
    """How a family mixes layers that see a window with layers that see everything, where the file does not say.

    Every `period`-th layer sees everything: the last of each period, or the first where `is_full_first`; None where
    only the file says which. `window_tokens` stands in where the file names no window (None: then there is none);
    with `is_fixed` it holds whatever the file says. `layers` restricts the family to models of so many layers.
    """

    period: int | None
    is_full_first: bool = False
    window_tokens: int | None = None
    is_fixed: bool = False
    layers: int | None = None


SLIDING: Final = {
    "afmoe": Sliding(period=4),
    "cohere2": Sliding(period=4),
    "cohere2moe": Sliding(period=4, is_full_first=True),
    "dots3note": Sliding(period=None),
    "exaone-moe": Sliding(period=4, window_tokens=128),
    "exaone4": Sliding(period=4, window_tokens=4096, layers=64),
    "gemma2": Sliding(period=2, window_tokens=4096),
    "gemma3": Sliding(period=6),
    "gemma3n": Sliding(period=5),
    "gemma4": Sliding(period=None),
    "gpt-oss": Sliding(period=2),
    "granite_swa": Sliding(period=None),
    "laguna": Sliding(period=4, is_full_first=True),
    "lfm2": Sliding(period=0),
    # Attends within chunks rather than a window; what is kept is the same.
    "llama4": Sliding(period=4, window_tokens=8192, is_fixed=True),
    "maple": Sliding(period=None),
    "mellum": Sliding(period=4),
    "mimo2": Sliding(period=None),
    "muse-glimmer": Sliding(period=4),
    "olmo2": Sliding(period=4),
    "plamo3": Sliding(period=8),
    "smallthinker": Sliding(period=4, is_full_first=True, window_tokens=4096, is_fixed=True),
    "spark2_5": Sliding(period=None),
    "step35": Sliding(period=None),
}

# The first so many layers keep tokens, those behind them use what these keep.
KEEPING_LAYERS: Final = {"gemma3n": 20}

# Their sparse attention keeps, for each token, a key of its own beside the others; so many times its told length.
INDEXED: Final = {
    "deepseek32": 1,
    "dots3note": 1,
    "glm-dsa": 1,
    "glm5-next": 3,
    "hy_v4": 1,
    "minimax-m3": 1,
    "qwen4exp": 2,
}

# Kept more cleverly than told here: the estimate takes what a plain model of these sizes would keep, which is more.
APPROXIMATE: Final = frozenset({"deepseek4", "glm5-next", "hy_v4", "graniteswitch", "hrm_text", "qwen4exp"})
