"""Owns the child process that holds llama.cpp's own HTTP server, from the xllamacpp wheel; knows nothing of paddock's.

Spoken with the parent (`engine/process.py`):

* stdin: one JSON line `{"api_key": …}`, then silence. End of file means that the parent is gone: the child ends.
* stdout: one JSON line, `{"event": "ready", "port": …}` or `{"event": "failed", "message": …}` with exit status 1.
* stderr: the engine's log.

The child dies with its parent: by the kernel's parent-death signal on Linux (also while a model loads), and everywhere
by end of file on stdin (not while a model loads: the wheel holds the interpreter then).
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from paddock.engine.flags import EngineFlags

_PR_SET_PDEATHSIG = 1
# Each waiting request holds one of the engine's HTTP threads, so slots alone would starve /health and /slots.
_SPARE_HTTP_THREADS = 64
_FLASH = {"on": "ENABLED", "off": "DISABLED", "auto": "AUTO"}


def main(argv: list[str]) -> int:
    """Load the model, say where it is served, and serve until the parent goes. Returns the exit status."""
    _die_with_parent()
    flags = EngineFlags.from_argv(argv)
    opening = sys.stdin.buffer.readline()
    if not opening:
        return 0
    api_key = json.loads(opening)["api_key"]
    threading.Thread(target=_leave_at_end_of_stdin, daemon=True).start()
    try:
        xllamacpp: Any = importlib.import_module("xllamacpp")
    except ImportError as error:
        _report(event="failed", message=f"the engine library cannot be loaded: {error}")
        return 1
    try:
        server = xllamacpp.Server(_parameters(xllamacpp, flags, api_key))
    except RuntimeError as error:
        _report(event="failed", message=str(error))
        return 1
    _report(event="ready", port=int(server.listening_address.rsplit(":", 1)[1]))
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
    params.n_threads_http = flags.slots + _SPARE_HTTP_THREADS
    params.ui = False
    params.endpoint_slots = True
    params.endpoint_metrics = True
    params.endpoint_props = False
    # The wheel would otherwise shrink the context that we are about to publish.
    params.fit_params = False
    params.cache_ram_mib = 256
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


def _die_with_parent() -> None:
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have gone before the call above took hold.
    if os.getppid() != parent:
        os._exit(0)


def _leave_at_end_of_stdin() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)


def _report(**fields: object) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    status = main(sys.argv[1:])
    # The engine's threads do not take part in an orderly shutdown.
    sys.stdout.flush()
    os._exit(status)
