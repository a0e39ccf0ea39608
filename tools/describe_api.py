"""Prints the OpenAPI description of every route, without serving: the page's types are made of it."""

from __future__ import annotations

import json
import sys
from typing import Any, cast

from paddock.api.edge import Edge
from paddock.api.routes import described


class Nothing:
    """Stands where the running paddock's parts would; routes are made with it, and never called."""

    def __getattr__(self, name: str) -> Any:
        return Nothing()


def description() -> str:
    """The description as JSON, in a fixed order."""
    return json.dumps(described(cast("Edge", Nothing())), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(description())
