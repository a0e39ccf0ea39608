"""Owns the images of a request: what may enter, and in which form it reaches the engine; opens no connection itself.

Fetching is `fetch/`'s, what is in an image's file `pixels`'; which model can see is known elsewhere, and asked
before `settle` is.
"""

from __future__ import annotations

import base64
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
import anyio.to_thread

from paddock.errors import BadRequest, ImageRefused, shown
from paddock.fetch.addresses import PUBLIC, Policy
from paddock.pixels import as_png, converted, decode_base64, in_turn
from paddock.protocol.shape import as_array, as_object

# More than any conversation holds that a context has room for.
MOST_IMAGES = 100
MOST_REMOTE_IMAGES = 32
MOST_REMOTE_BYTES = 64 * 2**20
_FETCHED_AT_ONCE = 4
_ACCEPTED = "image/png, image/jpeg, image/webp, image/gif, image/*;q=0.5"
# Media types under which an image may come although they do not say so.
_UNTOLD = ("", "application/octet-stream", "binary/octet-stream")


@dataclass(frozen=True, kw_only=True)
class Intake:
    """What is let in: the settings `fetch_images`, `image_most_bytes` and `fetch_timeout_s`.

    `most_bytes` bounds one image's file, inline or fetched. `policy` is where fetching may go; code alone sets it.
    """

    fetches: bool = True
    most_bytes: int = 20 * 2**20
    timeout_s: float = 10.0
    policy: Policy = PUBLIC


INTAKE = Intake()


def attach_legacy(messages: list[Any], png: bytes) -> list[Any]:
    """The messages with an image part at the end of the last user message, or with a new user message for it."""
    part = {"type": "image_url", "image_url": {"url": _data_url(png)}}
    last = next((i for i in range(len(messages) - 1, -1, -1) if messages[i].get("role") == "user"), None)
    if last is None:
        return [*messages, {"role": "user", "content": [part]}]
    content = messages[last]["content"]
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
    return [*messages[:last], {**messages[last], "content": [*parts, part]}, *messages[last + 1 :]]


def has_images(body: dict[str, Any]) -> bool:
    """Whether a chat body brings an image, in either form."""
    return bool(body.get("image_base64")) or any(True for _ in _image_urls(body))


def check_sources(body: dict[str, Any]) -> None:
    """Refuse what can be refused by a look at a chat body: part kinds, addresses, data URLs, too many images.

    Raises:
        BadRequest: an audio or file part, an address that is neither a data URL of an image nor http or https, or more
            than 100 images, 32 of them remote; names the parameter.
    """
    for i, j, part in _parts(body):
        where = f"messages.{i}.content.{j}"
        if part.get("type") not in ("text", "image_url"):
            kind = shown(part.get("type"))
            raise BadRequest(f"Parts of type {kind} are not supported. Send 'text' or 'image_url' parts.", param=where)
    found = _image_urls(body)
    for i, j, url in found:
        _check_address(url, f"messages.{i}.content.{j}.image_url")
    legacy = body.get("image_base64")
    if isinstance(legacy, str) and legacy[:5].lower() == "data:":
        _check_data_url(legacy, "image_base64")
    remote = {url for _, _, url in found if _is_remote(url)}
    for count, most, what in ((len(found), MOST_IMAGES, "images"), (len(remote), MOST_REMOTE_IMAGES, "remote images")):
        if count > most:
            raise BadRequest(
                f"The request holds {count} {what}; at most {most} are taken. Send fewer.", param="messages"
            )


def _check_address(url: Any, where: str) -> None:
    if not isinstance(url, str) or not url:
        raise BadRequest("image_url needs a 'url' with the image as a data URL, or its address.", param=where)
    if url[:5].lower() == "data:":
        _check_data_url(url, where)
    elif not _is_remote(url):
        raise BadRequest(
            f"Images are not fetched from {shown(url, limit_characters=80)}: only http and https addresses are. "
            "Send the image itself as a data URL (data:image/png;base64,…).",
            param=where,
        )


def _check_data_url(url: str, where: str) -> None:
    """Refuse a data URL that cannot hold an image we read, by what stands before its comma."""
    head, comma, payload = url[5:].partition(",")
    kind, *parameters = (word.strip().lower() for word in head.split(";"))
    if kind == "image/svg+xml":
        raise ImageRefused("SVG images are not read. Send the image as PNG, JPEG, WebP or GIF.", param=where)
    if not kind.startswith("image/") and kind not in _UNTOLD:
        raise ImageRefused(f"The data URL says it holds {shown(kind)}, which is no image. Send an image.", param=where)
    if not comma or "base64" not in parameters:
        raise ImageRefused(
            "The data URL is not base64. Write it as data:image/png;base64,… with the file's bytes.", param=where
        )
    if not payload.strip():
        raise ImageRefused("The data URL is empty: nothing stands behind its comma. Send the image.", param=where)


def _is_remote(url: object) -> bool:
    return isinstance(url, str) and url[:8].lower().startswith(("http://", "https://"))


def _parts(body: dict[str, Any]) -> list[tuple[int, int, dict[str, Any]]]:
    found: list[tuple[int, int, dict[str, Any]]] = []
    for i, message in enumerate(as_array(body.get("messages")) or []):
        for j, item in enumerate(as_array((as_object(message) or {}).get("content")) or []):
            part = as_object(item)
            if part is not None:
                found.append((i, j, part))
    return found


def _image_urls(body: dict[str, Any]) -> list[tuple[int, int, Any]]:
    urls: list[tuple[int, int, Any]] = []
    for i, j, part in _parts(body):
        if part.get("type") == "image_url":
            image = as_object(part.get("image_url"))
            urls.append((i, j, part.get("image_url") if image is None else image.get("url")))
    return urls


def without_images(body: dict[str, Any]) -> dict[str, Any]:
    """A chat body with a word in each image's place, for what reads text alone."""
    messages = [
        {**message, "content": [_worded(part) for part in parts]}
        if (parts := as_array(message.get("content")))
        else message
        for message in body["messages"]
    ]
    return {**body, "messages": messages}


def _worded(part: Any) -> Any:
    return {"type": "text", "text": "[image]\n"} if part.get("type") == "image_url" else part


async def admit(
    body: dict[str, Any], legacy_image: str | None, *, model_id: str, sees_images: bool, intake: Intake = INTAKE
) -> dict[str, Any]:
    """`settle` for a model that sees. Every body with images passes here before it is handed to an engine.

    An engine would fetch what an address names by itself, from anywhere; so none is ever given an address.

    Raises:
        ImageRefused: the model reads text only (nothing was fetched then), or an image cannot be used.
    """
    if not sees_images:
        raise ImageRefused(
            f"The model '{model_id}' reads text only and cannot see images. Remove the image, or load a vision model."
        )
    return await settle(body, legacy_image, intake)


async def settle(body: dict[str, Any], legacy_image: str | None, intake: Intake = INTAKE) -> dict[str, Any]:
    """A checked chat body with its images in a form that engines read: remote ones fetched, the legacy one attached.

    Raises:
        ImageRefused: fetching is turned off, or one cannot be fetched, is not base64, not an image, too large or a
            decompression bomb; `param` names its place.
    """
    places = {str(url): f"messages.{i}.content.{j}.image_url" for i, j, url in _image_urls(body) if _is_remote(url)}
    if places and not intake.fetches:
        url, where = next(iter(places.items()))
        raise ImageRefused(
            f"Images are not fetched from {shown(url, limit_characters=80)}: fetching is turned off here "
            "(fetch_images). Send the image itself as a data URL (data:image/png;base64,…).",
            param=where,
        )
    remote = await _fetch_all(places, intake) if places else {}
    return await in_turn(partial(settled, body, legacy_image, remote, intake))


async def _fetch_all(places: Mapping[str, str], intake: Intake) -> dict[str, bytes]:
    """The images at some addresses, a few at a time; `places` says where in the body each address stands."""
    # Its HTTP library takes longer to import than the event loop may stand still.
    guarded: Any = await anyio.to_thread.run_sync(importlib.import_module, "paddock.fetch.guarded")
    images: dict[str, bytes] = {}
    refused: list[ImageRefused] = []
    turn = anyio.Semaphore(_FETCHED_AT_ONCE)

    async def fetch_one(url: str, where: str) -> None:
        limits: dict[str, Any] = {"most_bytes": intake.most_bytes, "timeout_s": intake.timeout_s}
        try:
            async with turn:
                found = await guarded.fetch(url, policy=intake.policy, accept=_ACCEPTED, **limits)
            _check_fetched(url, found.content_type, found.data)
            images[url] = found.data
            if sum(len(data) for data in images.values()) > MOST_REMOTE_BYTES:
                raise ImageRefused(
                    f"The remote images are larger than {MOST_REMOTE_BYTES} bytes together. Send fewer or smaller ones."
                )
        except BadRequest as error:
            # Kept and not raised, since a task group would wrap it; the first one ends the others.
            refused.append(ImageRefused(error.message, param=where))
            group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        for url, where in places.items():
            group.start_soon(fetch_one, url, where)
    if refused:
        raise refused[0]
    return images


def _check_fetched(url: str, content_type: str, data: bytes) -> None:
    name = shown(url, limit_characters=80)
    if content_type == "image/svg+xml":
        raise ImageRefused(f"{name} is an SVG image, which is not read. Send PNG, JPEG, WebP or GIF.")
    if content_type.startswith(("text/", "application/json")):
        raise ImageRefused(f"{name} is no image: it came as {shown(content_type)}. Check the address.")
    if not data:
        raise ImageRefused(f"{name} came empty. Send the image itself.")


def settled(
    body: dict[str, Any],
    legacy_image: str | None,
    remote: Mapping[str, bytes] | None = None,
    intake: Intake = INTAKE,
) -> dict[str, Any]:
    """`settle` without fetching: `remote` holds what was fetched, by address. Blocks: use a thread.

    Images that are upright RGB PNG or JPEG files stay byte for byte; others become PNG.

    Raises:
        ImageRefused: one is not there, not base64, not an image, too large or a decompression bomb.
    """
    messages = list(body["messages"])
    for i, j, url in _image_urls(body):
        try:
            readable = _readable_url(str(url), remote or {}, intake)
        except ImageRefused as error:
            raise ImageRefused(error.message, param=f"messages.{i}.content.{j}.image_url") from error
        if readable != url:
            content = list(messages[i]["content"])
            content[j] = {**content[j], "image_url": {**(as_object(content[j]["image_url"]) or {}), "url": readable}}
            messages[i] = {**messages[i], "content": content}
    if legacy_image is not None:
        try:
            messages = attach_legacy(messages, as_png(decode_base64(legacy_image, most_bytes=intake.most_bytes)))
        except ImageRefused as error:
            raise ImageRefused(error.message, param="image_base64") from error
    return {**body, "messages": messages}


def _readable_url(url: str, remote: Mapping[str, bytes], intake: Intake) -> str:
    """A data URL that engines read: the given one itself where it is one."""
    if not _is_remote(url):
        png = converted(decode_base64(url, most_bytes=intake.most_bytes), only_if_needed=True)
        return _data_url(png) if png else url
    if url not in remote:
        raise ImageRefused(f"The image at {shown(url)} was not fetched. Send the image itself as a data URL.")
    data = remote[url]
    png = converted(data, only_if_needed=True)
    return _data_url(png or data, "image/png" if png or data.startswith(b"\x89PNG") else "image/jpeg")


def _data_url(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
