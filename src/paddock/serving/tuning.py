"""Owns which adapters a request's name lays over its model, and telling the engine so; refuses to know where they lie.

A name is `MODEL+ADAPTER` or `MODEL+ADAPTER:SCALE`, with further adapters after further `+`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from paddock.errors import AdapterUnknown, BadRequest, ModelUnknown, ModelUnusable, shown
from paddock.models.adapters import Adapter, Applied, misfit
from paddock.models.catalog import Catalog, Model
from paddock.serving.prepare import Prepared

SCALE_MOST = 10.0


def splits(name: str) -> Iterator[tuple[str, list[str]]]:
    """Each way to read a name as a model and adapters, the shortest model first: models may have a `+` in their id."""
    words = name.split("+")
    for at in range(1, len(words)):
        if model := "+".join(words[:at]):
            yield model, words[at:]


def applied(word: str, adapters: Sequence[Adapter]) -> Applied | None:
    """The one of `adapters` that a word of a name means, with its scale; None where it means none of them.

    Raises:
        BadRequest: the word is empty, or what stands for its scale is no number from -10 to 10.
    """
    name, _, scale = word.rpartition(":")
    if not word or word.startswith(":"):
        raise BadRequest("The model's name has a '+' with no adapter after it. Name one, or leave it.", param="model")
    by_id = {one.id.casefold(): one for one in adapters}
    if whole := by_id.get(word.casefold()):
        return Applied(id=whole.id, path=whole.path)
    found = by_id.get(name.casefold())
    return Applied(id=found.id, path=found.path, scale=_scale(scale, found.id)) if found else None


def named_in(word: str, model: Model, fitting: Sequence[Adapter], catalog: Catalog) -> Applied:
    """The one of `fitting` that a word of a name means; what does not fit the model is told as that. Reads the disk.

    Raises:
        AdapterUnknown: there is none of that name.
        ModelUnusable: there is one, and it does not fit the model.
        BadRequest: as `applied`.
    """
    if (found := applied(word, fitting)) is not None:
        return found
    if unfit := next((one for one in catalog.adapters() if applied(word, [one])), None):
        reason = misfit(unfit, catalog.header(model))
        raise ModelUnusable(f"The adapter '{unfit.id}' does not fit '{model.id}': {reason or 'it makes no text'}.")
    raise AdapterUnknown(id_in(word), base=model.id, known=[one.id for one in fitting])


def resolved(catalog: Catalog, name: str) -> Model:
    """As `Catalog.resolve`, where `MODEL+ADAPTER` is a name too. Raises as that and `named_in` do."""
    try:
        return catalog.resolve(name)
    except ModelUnknown as error:
        unknown = error
    for base, words in splits(name):
        try:
            model = catalog.find(base)
        except ModelUnknown:
            continue
        fitting = catalog.fitting(model, catalog.adapters())
        adapters = tuple(named_in(word, model, fitting, catalog) for word in words)
        refuse_twice(adapters)
        return replace(model, adapters=adapters)
    raise unknown


def id_in(word: str) -> str:
    """What a word of a name calls its adapter, if what follows its last `:` is a scale."""
    name, _, scale = word.rpartition(":")
    return name if name and _number(scale) is not None else word


def tuned(prepared: Prepared, scales: Mapping[str, float], loaded: Sequence[str]) -> Prepared:
    """The request with every adapter that its engine has loaded told at its scale, those it does not want at 0.

    Engines apply all of them to a request that says nothing.

    Args:
        prepared: the request.
        scales: what is wanted, by the adapter's path.
        loaded: the paths of what the engine has, in its order.
    """
    if not loaded:
        return prepared
    lora = [{"id": at, "scale": scales.get(path, 0.0)} for at, path in enumerate(loaded)]
    return replace(prepared, body={**prepared.body, "lora": lora})


def refuse_twice(found: Sequence[Applied]) -> None:
    """Raises BadRequest where one adapter is named more than once."""
    for at, one in enumerate(found):
        if one.id in {other.id for other in found[:at]}:
            raise BadRequest(f"The model's name has the adapter '{one.id}' twice. Name it once.", param="model")


def _scale(text: str, adapter_id: str) -> float:
    number = _number(text)
    if number is None or not -SCALE_MOST <= number <= SCALE_MOST:
        raise BadRequest(
            f"The scale {shown(text)} of the adapter '{adapter_id}' is no number from -{SCALE_MOST:g} to "
            f"{SCALE_MOST:g}. Leave ':{text[:20]}' out for 1.",
            param="model",
        )
    return number


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return None if math.isnan(number) else number
