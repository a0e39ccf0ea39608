"""Owns reading `lists.yaml`, the lists that rows are drawn from; each as a tuple, by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

LISTS: dict[str, tuple[Any, ...]] = {
    name: tuple(own) for name, own in yaml.safe_load(Path(__file__).with_name("lists.yaml").read_text("utf-8")).items()
}
