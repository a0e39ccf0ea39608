"""What pyright takes for the library, which lies in the training stack alone: anything."""

from typing import Any

def __getattr__(name: str) -> Any: ...
