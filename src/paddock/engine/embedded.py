"""Owns the child process that holds llama.cpp's own HTTP server, from the xllamacpp wheel; knows nothing of paddock's.

How it speaks with its parent stands in `engine/child.py`.

The child dies with its parent: by the kernel's parent-death signal on Linux (also while a model loads), and everywhere
by end of file on stdin (not while a model loads: the wheel holds the interpreter then).
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from paddock.engine import child
from paddock.engine.flags import EngineFlags

_LOG_S = 0.2
_FLASH = {"on": "ENABLED", "off": "DISABLED", "auto": "AUTO"}


def main(argv: list[str]) -> int:
    """Load the model, say where it is served, and serve until the parent goes. Returns the exit status."""
    child.die_with_parent()
    child.be_ended_first()
    flags = EngineFlags.from_argv(argv)
    api_key = child.read_key()
    if api_key is None:
        return 0
    child.leave_with_stdin()
    try:
        xllamacpp: Any = importlib.import_module("xllamacpp")
    except ImportError as error:
        child.report(event="failed", message=f"the engine library cannot be loaded: {error}")
        return 1
    try:
        server = xllamacpp.Server(_parameters(xllamacpp, flags, api_key))
    except (RuntimeError, OSError) as error:
        # The library's log, which says why, is written by a thread of its own.
        time.sleep(_LOG_S)
        child.report(event="failed", message=str(error))
        return 1
    child.report(event="ready", port=int(server.listening_address.rsplit(":", 1)[1]))
    threading.Event().wait()
    return 0


def _parameters(xllamacpp: Any, flags: EngineFlags, api_key: str) -> Any:
    """`flags` as the wheel's parameter object, plus what every engine of ours runs with."""
    params = xllamacpp.CommonParams()
    params.model.path = flags.model_path
    params.model_alias = {flags.alias}
    params.n_ctx = flags.context_tokens
    params.n_parallel = flags.slots
    params.n_batch = flags.batch_tokens
    params.n_ubatch = flags.ubatch_tokens
    params.n_ctx_checkpoints = flags.checkpoints
    params.embedding = flags.embeddings or flags.reranking
    if flags.reranking:
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_RANK
    if flags.projector_path:
        params.mmproj.path = flags.projector_path
    _choose(xllamacpp, params, flags)
    if flags.threads:
        params.cpuparams.n_threads = flags.threads
        params.cpuparams_batch.n_threads = flags.threads
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [api_key]
    params.n_threads_http = flags.slots + child.SPARE_HTTP_THREADS
    params.ui = False
    params.endpoint_slots = True
    params.endpoint_metrics = True
    params.endpoint_props = False
    if flags.slot_save_path:
        params.slot_save_path = str(Path(flags.slot_save_path)) + os.sep
    # The wheel would otherwise shrink the context that we are about to publish.
    params.fit_params = False
    params.cache_ram_mib = child.prompt_cache_mib(has_adapters=bool(flags.lora_paths))
    return params


def _choose(xllamacpp: Any, params: Any, flags: EngineFlags) -> None:
    """What was set for this model alone; the engine's own choice where nothing was."""
    if flags.template_path:
        params.chat_template = Path(flags.template_path).read_text("utf-8")
    if flags.kv_type_k:
        params.cache_type_k = xllamacpp.ggml_type[f"GGML_TYPE_{flags.kv_type_k.upper()}"]
    if flags.kv_type_v:
        params.cache_type_v = xllamacpp.ggml_type[f"GGML_TYPE_{flags.kv_type_v.upper()}"]
    if flags.flash_attention:
        params.flash_attn_type = xllamacpp.llama_flash_attn_type[
            f"LLAMA_FLASH_ATTN_TYPE_{_FLASH[flags.flash_attention]}"
        ]
    if flags.rope_freq_base is not None:
        params.rope_freq_base = flags.rope_freq_base
    if flags.rope_freq_scale is not None:
        params.rope_freq_scale = flags.rope_freq_scale
    if flags.draft_path:
        params.speculative.draft.mparams.path = flags.draft_path
    if flags.speculation:
        kind = flags.speculation.upper().replace("-", "_")
        params.speculative.types = [xllamacpp.common_speculative_type[f"COMMON_SPECULATIVE_TYPE_{kind}"]]
    params.lora_adapters = [_adapter(xllamacpp, path) for path in flags.lora_paths]
    params.lora_init_without_apply = flags.lora_init_without_apply


def _adapter(xllamacpp: Any, path: str) -> Any:
    adapter = xllamacpp.CommonAdapterLoraInfo()
    adapter.path, adapter.scale = path, 1.0
    return adapter


if __name__ == "__main__":
    status = main(sys.argv[1:])
    # The engine's threads do not take part in an orderly shutdown.
    sys.stdout.flush()
    os._exit(status)
