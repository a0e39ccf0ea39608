"""Owns loading a model that sees, and its processor as what makes tokens of a row with its images.

Refuses to know what is trained on: rows and batches are `looking`'s.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from transformers import AutoModelForImageTextToText, AutoProcessor

from paddock.data.masks import Masked, Piece, Tokenizer, TrainOn, lacks_beginning, masked, pieces_of
from paddock.data.refusals import wrong
from paddock.data.rows import Message, Row
from paddock.errors import FieldInvalid
from paddock.training.sight import PROCESSORS
from paddock.training.worker.backend import Plain

# What a processor says of tokens, by its own names; all else that it makes is of images.
_OF_TOKENS = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids", "special_tokens_mask")
_KEPT = (*PROCESSORS, "video_preprocessor_config.json", "chat_template.jinja", "chat_template.json")


class Seeing(Plain):
    """Transformers' models that see, and PEFT."""

    models: Any = AutoModelForImageTextToText
    keeps_merged = True

    def reader(self, base: Path) -> Any:
        """The processor. Raises FieldInvalid, OSError, ValueError or KeyError."""
        if importlib.util.find_spec("PIL") is None:
            raise FieldInvalid(
                "Rows hold images, and this training stack lacks Pillow. `paddock setup python-stack` brings it up to "
                "date.",
                param="data",
            )
        try:
            processor = AutoProcessor.from_pretrained(base, trust_remote_code=False)
        except ImportError as error:
            raise _needs_more(base, str(error)) from error
        except ValueError as error:
            if "torchvision" in str(error):
                raise _needs_more(base, str(error)) from error
            raise
        if getattr(processor, "image_processor", None) is None or not getattr(processor, "image_token", None):
            raise FieldInvalid(
                f"{base.name} has no processor that puts images among tokens ({type(processor).__name__}), so rows "
                "with images cannot be learnt. Name a base that sees, or leave the images out.",
                param="base",
            )
        return Eyes(processor, base)


@dataclass(frozen=True, kw_only=True)
class Sight:
    """A row as it is trained on, with the images that stand in it.

    `images` are so many of its first ones; `more` is what a model wants to know of each token beside which it is.
    Behind `whole_tokens` no image stands.
    """

    text: Masked
    images: int
    more: dict[str, list[int]]
    whole_tokens: int


class Eyes:
    """A processor of Transformers, asked as a tokenizer is; text alone is made tokens by its tokenizer."""

    def __init__(self, processor: Any, base: Path) -> None:
        self.tokenizer = processor.tokenizer
        self.chat_template = processor.chat_template or processor.tokenizer.chat_template
        self._processor = processor
        self._base = base
        # What the template writes where an image stands, and the processor puts the image's tokens for.
        self._mark: str = processor.image_token
        known = [*getattr(processor, "image_token_ids", ()), getattr(processor, "image_token_id", None)]
        known.append(getattr(processor.tokenizer, "image_token_id", None))
        self._of_images = {one for one in known if isinstance(one, int)}

    @property
    def bos_token(self) -> str | None:
        """As the tokenizer has it."""
        return self.tokenizer.bos_token

    @property
    def eos_token(self) -> str | None:
        """As the tokenizer has it."""
        return self.tokenizer.eos_token

    @property
    def pad_token(self) -> str | None:
        """As the tokenizer has it."""
        return self.tokenizer.pad_token

    @pad_token.setter
    def pad_token(self, token: str | None) -> None:
        self.tokenizer.pad_token = token

    @property
    def pad_token_id(self) -> int:
        """As the tokenizer has it; 0 where it has none."""
        return self.tokenizer.pad_token_id or 0

    def apply_chat_template(
        self, conversation: list[dict[str, Any]], *, tools: Any = None, tokenize: bool, add_generation_prompt: bool
    ) -> str:
        """The text of a conversation. Templates of models that see take every content as parts."""
        assert not tokenize, "tokens of a conversation are made piece by piece"
        return self._processor.apply_chat_template(
            [_in_parts(one) for one in conversation], chat_template=self.chat_template, tools=tools, tokenize=False,
            add_generation_prompt=add_generation_prompt,
        )  # fmt: skip

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """The tokens of a text without images."""
        return self.tokenizer.encode(text, add_special_tokens=add_special_tokens)

    def decode(self, ids: Any, *, skip_special_tokens: bool) -> str:
        """The text of tokens."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=skip_special_tokens))

    def save_pretrained(self, folder: Path) -> None:
        """Write the tokenizer, and the base's processor as it came."""
        self.tokenizer.save_pretrained(folder)
        for name in _KEPT:
            if (self._base / name).is_file():
                shutil.copyfile(self._base / name, folder / name)

    def sights(self, row: Row, images: Sequence[Any], *, train_on: TrainOn) -> list[Sight]:
        """A row as it is trained on, once or once for each answer (`data/masks`). `images` are Pillow's, its own.

        Raises FieldInvalid where its images and the places that the template writes for them differ.
        """
        tokenizer = cast("Tokenizer", self)
        if not row.messages:
            return [Sight(text=one, images=0, more={}, whole_tokens=0) for one in masked(row, tokenizer)]
        found = pieces_of(row, tokenizer, train_on=train_on)
        by_answer = [_images_in(row, last) for last in _answers(row)][-len(found) :]
        return [
            self._sight(pieces, row, images, {len(images), before})
            for pieces, before in zip(found, by_answer, strict=True)
        ]

    def of_images(self, images: Sequence[Sequence[Any]]) -> dict[str, Any]:
        """What the model is told of the images of a batch's rows, as tensors; nothing where there are none."""
        shown = [list(one) for one in images if one]
        if not shown:
            return {}
        texts = [self._mark * len(one) for one in shown]
        made = self._processor(text=texts, images=shown, padding=True, return_tensors="pt")
        return {name: value for name, value in made.items() if name not in _OF_TOKENS}

    def _sight(self, pieces: Sequence[Piece], row: Row, images: Sequence[Any], expected: set[int]) -> Sight:
        """Where each answer is learnt alone, what follows it is not there, nor are the images in that."""
        places = sum(piece.text.count(self._mark) for piece in pieces)
        if places not in expected:
            raise wrong(
                row.place,
                f"it has {len(images)} images, and the template writes {places} places for images ({self._mark}). A "
                "text that holds that word writes one too",
            )
        left = list(images)
        ids: list[int] = []
        trains: list[bool] = []
        more: dict[str, list[int]] = {}
        whole = 0
        for piece in self._divided(pieces):
            count = piece.text.count(self._mark)
            is_first = not ids and lacks_beginning(piece.text, cast("Tokenizer", self))
            found = self._read(piece.text, [left.pop(0) for _ in range(count)], is_first)
            some = found.pop("input_ids")
            for name in {*more, *found}:
                more[name] = more.get(name, [0] * len(ids)) + found.get(name, [0] * len(some))
            if not count and self._of_images & set(some):
                raise wrong(row.place, "its text holds a word that stands for an image, and no image is there")
            ids += some
            trains += [piece.trains and not count] * len(some)
            whole = len(ids) if count else whole
        return Sight(text=Masked(ids=ids, trains=trains), images=places, more=more, whole_tokens=whole)

    def _divided(self, pieces: Sequence[Piece]) -> list[Piece]:
        """The pieces, each image that stands in what trains apart: nobody learns to say an image."""
        found: list[Piece] = []
        for piece in pieces:
            texts = re.split(f"({re.escape(self._mark)})", piece.text) if piece.trains else [piece.text]
            found += [Piece(text=text, trains=piece.trains) for text in texts if text]
        return found

    def _read(self, text: str, images: list[Any], is_first: bool) -> dict[str, list[int]]:
        """What is told of each token of a text with its images."""
        if not images:
            return {"input_ids": self.encode(text, add_special_tokens=is_first)}
        made = self._processor(text=[text], images=[images], add_special_tokens=is_first)
        return {
            name: [int(one) for one in made[name][0]]
            for name in _OF_TOKENS
            if name in made and name not in ("attention_mask", "special_tokens_mask")
        }


def _answers(row: Row) -> list[int]:
    """The places of what the model is to say."""
    return [place for place, one in enumerate(row.messages) if one["role"] == "assistant"]


def _images_in(row: Row, last: int) -> int:
    """How many images stand in the messages up to one."""
    contents = [_in_parts(one)["content"] for one in row.messages[: last + 1]]
    return sum(part["type"] == "image" for content in contents for part in content)


def _in_parts(message: Message) -> Message:
    content = message.get("content")
    if not isinstance(content, str):
        return message
    return {**message, "content": [{"type": "text", "text": content}] if content else []}


def _needs_more(base: Path, said: str) -> FieldInvalid:
    """Many processors need torchvision, also those that look at videos beside images."""
    lacks = "torchvision" if "torchvision" in said.lower() else said.strip().splitlines()[0]
    return FieldInvalid(
        f"The processor of {base.name} needs {lacks}, which the training stack lacks. Name a base whose processor "
        "works without, such as one of LLaVA's or Gemma 3's form.",
        param="base",
    )
