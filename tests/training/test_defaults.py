"""Tests that a default which is said to be a library's is that of the library in the training stack."""

from __future__ import annotations

import json
import os
import subprocess

from paddock.training.spec import described
from tests.training.conftest import STACK

ASKS = """
import dataclasses, importlib, json, sys
found = {}
for name in json.loads(sys.argv[1]):
    module, path = name.split(" ")
    owner, option = path.split(".")
    for one in dataclasses.fields(getattr(importlib.import_module(module), owner)):
        if one.name == option:
            made = one.default_factory is not dataclasses.MISSING
            found[name] = one.default_factory() if made else one.default
print(json.dumps(found))
"""
# A guard against hanging, not a measure of speed.
TIMEOUT_S = 300


def test_a_librarys_default_is_the_librarys() -> None:
    borrowed = {one["source"]: one["default"] for one in described() if one["source"] != "paddock"}
    assert len(borrowed) > 5
    (python,) = STACK.glob("env-*/bin/python")
    words = [python, "-c", ASKS, json.dumps(list(borrowed))]
    offline = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(words, env=offline, capture_output=True, text=True, check=True, timeout=TIMEOUT_S)
    theirs: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    # A list of one is that one.
    assert {name: default if theirs[name] != [default] else [default] for name, default in borrowed.items()} == theirs
