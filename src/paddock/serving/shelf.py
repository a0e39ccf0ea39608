"""Owns which model a request's name means and how that model is to be loaded; refuses to load it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio.to_thread

from paddock.config import Settings
from paddock.engine.flags import EngineFlags
from paddock.engine.plan import EnginePlan
from paddock.errors import AdapterUnknown, BadRequest, ModelUnknown, ModelUnusable, PaddockError
from paddock.hardware import held_bytes, usable_cores
from paddock.log import named
from paddock.models.adapters import Adapter, Applied, within
from paddock.models.advice import Advice, advise
from paddock.models.aliases import Aliases
from paddock.models.catalog import Catalog, Model
from paddock.models.control_texts import control_texts
from paddock.models.fit import Load
from paddock.models.measured import Measured, key_of
from paddock.models.planner import DEFAULT_CONTEXT_TOKENS, plan
from paddock.models.saved import ModelSettings, Saved
from paddock.models.tried import is_tried
from paddock.serving.fitting import wish_of
from paddock.serving.room import Room
from paddock.serving.tuning import applied, named_in, refuse_twice, splits

_log = named(__name__)


class Shelf:
    """The catalogue as requests see it: names looked up without touching the disk while nothing has changed."""

    def __init__(self, catalog: Catalog, settings: Settings) -> None:
        self._catalog = catalog
        self._settings = settings
        self.aliases = Aliases(settings.home)
        self._folder = settings.home.models
        self._default = catalog.resolve(settings.model)
        self._found: dict[str, Model] = {}
        self._fitting: dict[str, list[Adapter]] = {}
        self._seen_ns = -1
        self._control_texts: dict[tuple[Path, int, int, Path | None], tuple[str, ...]] = {}
        self._advice: dict[tuple[Path, int, int], Advice] = {}
        self.saved = Saved(settings.home)
        self.saved.forget_templates()
        self.room = Room(settings)
        self._measured = Measured(settings.home)

    @property
    def catalog(self) -> Catalog:
        """Which models there are; every question to it blocks on the disk."""
        return self._catalog

    @property
    def default(self) -> Model:
        """The model for requests that name none."""
        return self._default

    async def find(self, name: str | None) -> Model:
        """The model of that id or alias, with the adapters that a name such as `MODEL+ADAPTER:0.5` lays over it.

        None and "" name the default.

        Raises:
            ModelUnknown, AdapterUnknown: there is none.
            ModelUnusable: it cannot be loaded, or the adapter does not fit the model.
            BadRequest: a scale is none, or an adapter is named twice.
        """
        if name and "+" in name and name not in self._found and (found := await self._tuned(name)):
            return found
        return await self._untuned(name or self._default.id)

    async def _untuned(self, name: str) -> Model:
        try:
            return await self._named(name)
        except ModelUnknown:
            aliased = self.aliases.resolve(name)
            if aliased is None:
                raise
            return await self._named(aliased)

    async def _tuned(self, name: str) -> Model | None:
        """A model with adapters over it; None where no part of the name is a model's, or all of it is."""
        refusal: PaddockError | None = None
        for base, words in splits(name):
            try:
                model = await self._untuned(base)
                adapters = tuple([await self._applied(word, model) for word in words])
                refuse_twice(adapters)
                return replace(model, adapters=adapters)
            except (AdapterUnknown, ModelUnusable, BadRequest) as error:
                refusal = refusal or error
            except ModelUnknown:
                continue
        if refusal is not None:
            try:
                return await self._named(name)
            except ModelUnknown:
                raise refusal from None
        return None

    async def _applied(self, word: str, model: Model) -> Applied:
        self._forget_if_changed()
        if (found := applied(word, self._fitting.get(model.id, []))) is not None and not _is_removed(found.path):
            return found
        there = await anyio.to_thread.run_sync(self._catalog.adapters)
        fitting = await anyio.to_thread.run_sync(self._catalog.fitting, model, there)
        self._fitting[model.id] = fitting
        return await anyio.to_thread.run_sync(named_in, word, model, fitting, self._catalog)

    async def _named(self, name: str) -> Model:
        if name == self._default.id:
            return self._default
        self._forget_if_changed()
        known = self._found.get(name)
        if known is None or _is_removed(known.path):
            try:
                self._found[name] = await anyio.to_thread.run_sync(self._catalog.find, name)
            except ModelUnknown as error:
                if self._default.id in error.known:
                    raise
                raise ModelUnknown(name, known=[self._default.id, *error.known], nearest=error.nearest) from error
        return self._found[name]

    async def models(self) -> list[Model]:
        """Every model that can be asked for, the default first."""
        others = await anyio.to_thread.run_sync(self._catalog.models)
        return [self._default, *(model for model in others if model.id != self._default.id)]

    async def tuned_models(self, models: list[Model]) -> list[Model]:
        """Each of these models with each adapter that fits it, at scale 1."""

        def look() -> list[Model]:
            there = self._catalog.adapters()
            return [
                replace(model, adapters=(Applied(id=one.id, path=one.path),))
                for model in models
                for one in self._catalog.fitting(model, there)
            ]

        return await anyio.to_thread.run_sync(look)

    async def control_texts(self, model: Model) -> tuple[str, ...]:
        """The texts that are control to this model. Read from its file, and a template that was set for it, once."""
        template = self.saved.template_path(self.saved.get(model.id))
        key = (model.path, model.size_bytes, model.created_s, template)
        if key not in self._control_texts:
            self._control_texts[key] = await anyio.to_thread.run_sync(control_texts, model.path, template)
        return self._control_texts[key]

    async def advice(self, model: Model) -> Advice:
        """What this model is best asked with, by what is set for it, by its file and by its family."""
        key = (model.path, model.size_bytes, model.created_s)
        saved, known = self.saved.get(model.id), self._advice.get(key)
        if known is None or known.saved != saved:
            header = await anyio.to_thread.run_sync(self._catalog.header, model)
            known = self._advice[key] = advise(header, model.id, saved)
        return known

    def context_tokens(self, model: Model) -> int:
        """The context that each slot of this model gets when it is loaded, if memory allows it."""
        trained = model.trained_context_tokens or DEFAULT_CONTEXT_TOKENS
        wanted = self.saved.get(model.id).context_tokens or self._settings.context_tokens
        return min(wanted or DEFAULT_CONTEXT_TOKENS, trained)

    def plan_for(self, model_id: str) -> EnginePlan:
        """How a model is loaded under the present settings, within the budget of memory. Reads the disk.

        What nobody fixed gives way until it fits. One that does not even so is planned as wished; the pool refuses it.

        Raises:
            ModelUnknown, ModelUnusable: there is no such model, or it cannot be loaded.
        """
        model = self._default if model_id == self._default.id else self._catalog.find(model_id)
        saved = self.saved.get(model.id)
        wish, header = wish_of(model, self._settings, saved), self._catalog.header(model)

        def held(load: Load) -> int | None:
            return self._measured.get(key_of(header.files, self._flags_of(model, load, saved).to_argv()))

        found = plan(header, wish, memory=self.room.memory, measured=held)
        flags, is_pinned = self._flags_of(model, found.load, saved), bool(saved.pinned)
        # With adapters, an engine keeps no prompts that left their slot.
        bare_bytes = found.needed_bytes - (0 if found.is_measured else found.load.prompt_cache_bytes)
        room_bytes = self.room.memory.available_bytes
        adapters = within(self._catalog.fitting(model, self._catalog.adapters()), room_bytes - bare_bytes)
        tuned = replace(flags, lora_paths=tuple(str(one.path) for one in adapters), lora_init_without_apply=True)
        key = key_of(header.files, tuned.to_argv())
        tuned_bytes = self._measured.get(key) or bare_bytes + sum(one.facts.size_bytes for one in adapters)
        if not adapters or tuned_bytes > room_bytes:
            key, tuned, tuned_bytes = key_of(header.files, flags.to_argv()), flags, found.needed_bytes
        kv_bytes = found.memory.kv_bytes + found.memory.recurrent_bytes
        return EnginePlan(
            flags=tuned, memory_bytes=tuned_bytes, kv_bytes=kv_bytes, is_pinned=is_pinned, remembered_as=key
        )

    def observe(self, planned: EnginePlan, pid: int) -> None:
        """Remember how much memory an engine holds, for the next time its model is planned so.

        It is remembered of the files that were planned with, whatever lies in their place by now.
        """
        try:
            if planned.remembered_as and (held := held_bytes(pid)):
                self._measured.put(planned.remembered_as, held)
        except (OSError, PaddockError) as error:
            # The next plan is an estimate then, as this one was.
            _log.info("the memory of %s could not be remembered: %s", planned.flags.alias, error)

    def _flags_of(self, model: Model, load: Load, saved: ModelSettings) -> EngineFlags:
        threads = self._settings.threads if saved.threads is None else saved.threads
        return EngineFlags(
            model_path=str(model.path),
            alias=model.id,
            context_tokens=load.context_tokens * load.slots,
            slots=load.slots,
            batch_tokens=load.batch_tokens,
            ubatch_tokens=load.batch_tokens,
            checkpoints=load.checkpoints,
            threads=threads or _cores_if_limited(),
            embeddings=model.task == "embedding",
            reranking=model.task == "ranking",
            projector_path=str(model.projector_path) if model.projector_path and model.task == "text" else None,
            **self._chosen(saved),
        )

    def _chosen(self, saved: ModelSettings) -> dict[str, Any]:
        """The engine's flags for what was set for one model alone. Raises ModelUnknown or ModelUnusable."""
        template = self.saved.template_path(saved)
        draft = self._catalog.find(saved.draft_model) if saved.draft_model else None
        return {
            "template_path": str(template) if template else None,
            "kv_type_k": saved.kv_type,
            "kv_type_v": saved.kv_type,
            "flash_attention": saved.flash_attention,
            "rope_freq_base": saved.rope_freq_base,
            "rope_freq_scale": saved.rope_freq_scale,
            "draft_path": str(draft.path) if draft else None,
            "speculation": "draft-simple" if draft else "ngram-mod" if saved.ngram_speculation else None,
        }

    def _forget_if_changed(self) -> None:
        try:
            changed_ns = os.stat(self._folder).st_mtime_ns
        except OSError:
            changed_ns = -1
        if changed_ns != self._seen_ns:
            self._found.clear()
            self._fitting.clear()
            self._seen_ns = changed_ns


def _is_removed(path: Path) -> bool:
    """Whether what was made to try a checkpoint went with its training, which tells nobody here."""
    return is_tried(path) and not path.exists()


def _cores_if_limited() -> int:
    """The cores a container or an affinity leaves us; 0, for the engine to choose, where nothing limits them."""
    usable = usable_cores()
    return usable if usable < (os.cpu_count() or usable) else 0
