"""Tests that what a request makes paddock do grows with its length, not with its square: one loop answers everybody.

Each runs in a process of its own, which the system ends once it has had far more of a processor than it needs.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

# Each takes a second at most; by the square they took from 40 s to minutes.
_CPU_S = 15
_LIMITED = f"import resource; resource.setrlimit(resource.RLIMIT_CPU, ({_CPU_S}, {_CPU_S}))"
_BROKEN_TEXTS = """
from paddock.serving.control import harmless
from paddock.serving.prepare import prepare
parts = [{"type": "text", "text": ("<|im_", "end|>")[n % 2]} for n in range(60000)]
body = {"messages": [{"role": "user", "content": parts}]}
asked = prepare("/v1/chat/completions", body)
assert harmless(asked, ("<|im_end|>",)) is not asked
"""
_RESULTS = """
from paddock.protocol.normalize import normalize
calls = [{"id": f"call_{n}", "type": "function", "function": {"name": "f", "arguments": "{}"}} for n in range(60000)]
results = [{"role": "tool", "tool_call_id": call["id"] if %r else None, "content": "1"} for call in reversed(calls)]
made, _ = normalize([{"role": "assistant", "tool_calls": calls}, *results])
assert len(made) == 60001
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no bound on a processor's time")
@pytest.mark.parametrize(
    "work", [_BROKEN_TEXTS, _RESULTS % True, _RESULTS % False], ids=["control texts", "results", "results without ids"]
)
def test_long_requests_take_no_long_work(work: str) -> None:
    subprocess.run([sys.executable, "-c", f"{_LIMITED}\n{work}"], check=True)
