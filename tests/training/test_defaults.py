"""Tests that a default which is said to be a library's is that of the library in the training stack."""

from __future__ import annotations

import json
import os
import subprocess

from paddock.training.spec import described
from tests.training.conftest import STACK

ASKS = """
import dataclasses, importlib, inspect, json, sys
PLACES = {"sentence-transformers": "sentence_transformers.sentence_transformer.losses"}
found = {}
for name in json.loads(sys.argv[1]):
    module, path = name.split(" ")
    owner, option = path.split(".")
    place = importlib.import_module(PLACES.get(module, module))
    kind = getattr(place, owner)
    if dataclasses.is_dataclass(kind):
        one = next(one for one in dataclasses.fields(kind) if one.name == option)
        made = one.default_factory is not dataclasses.MISSING
        found[name] = one.default_factory() if made else one.default
    else:
        found[name] = inspect.signature(kind).parameters[option].default
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
    done = subprocess.run(words, env=offline, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stderr
    theirs: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    # A list of one is that one.
    assert {name: default if theirs[name] != [default] else [default] for name, default in borrowed.items()} == theirs
