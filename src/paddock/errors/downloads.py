"""Owns the errors about downloads; `errors/__init__.py` draws their tree."""

from __future__ import annotations

from paddock.errors.base import PaddockError, shown


class DownloadUnknown(PaddockError):
    """No download has that id."""

    def __init__(self, download_id: str) -> None:
        super().__init__(f"There is no download {shown(download_id)}. `paddock downloads list` shows what there is.")
        self.download_id = download_id


class DownloadsElsewhere(PaddockError):
    """Another paddock on this data home works on its downloads."""

    def __init__(self) -> None:
        super().__init__("Another paddock on this data home works on its downloads. Ask that one, or stop it.")
