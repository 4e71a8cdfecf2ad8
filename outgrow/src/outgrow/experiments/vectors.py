"""Vector stores asked side by side, about a sample of the team's own tenants: any two that a move can go between.

The sample is read from the baseline's store. Questions lie beside stored vectors and are never among them; the right
answers are found by comparing with every vector of the tenant.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from outgrow.errors import UsageError
from outgrow.evidence.records import Arm
from outgrow.experiments.apart import Apart
from outgrow.experiments.arms import Arms, ArmSettings, arms_of, baseline_of
from outgrow.experiments.figures import Measures, with_measures
from outgrow.experiments.open_loop import (
    MOST_IN_FLIGHT,
    NotAnswered,
    Send,
    closed_loop,
    departures,
    measured,
    open_loop,
    runner,
)
from outgrow.experiments.sample import (
    PAGE,
    Question,
    Sample,
    items_of,
    nearest,
    present,
    questions,
    read_sample,
)
from outgrow.experiments.stores import Clients, OpenStore, clients_of, opener, vector_of
from outgrow.experiments.weighing import footprint_of
from outgrow.points.declaration import Duration, Identifier
from outgrow.ports import (
    Answers,
    Clock,
    ExperimentFailed,
    Footprint,
    Item,
    Load,
    Measured,
    Request,
    Store,
    StoreFailed,
    digest_of,
)

GENERATION = 1
_WARMING = 50
_ASKED = 2000


class StoreSettings(BaseModel):
    """A store, as movers name it; the keys beside ``kind`` are its own, and checked by it."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: Identifier

    @property
    def settings(self) -> dict[str, Any]:
        """All keys."""
        return {"kind": self.kind, **(self.__pydantic_extra__ or {})}


class VectorsArm(ArmSettings):
    """An arm of ``{kind: vectors}``."""

    store: StoreSettings
    clients: Annotated[int, Field(ge=1, le=64)] | None = Field(
        None,
        description="How many ask it at a time, each over a connection of its own; more requests wait for these. "
        "Default: 4, and 1 for qdrant-edge, which lets one in alone.",
    )
    fill: bool = Field(False, description="Copy the sampled tenants into it first, and delete that copy at the end.")

    @property
    def at_a_time(self) -> int:
        """Clients."""
        return self.clients or (1 if self.store.kind == "qdrant-edge" else 4)


class VectorsSettings(BaseModel):
    """The keys of ``experiment: {kind: vectors, …}`` that are its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str | None = None
    arms: Arms[VectorsArm]
    tenants: Annotated[int, Field(ge=1)] | Literal["all"] = Field(
        50, description="How many are asked about, spread over all by size."
    )
    by: Literal["size", "tenant"] = Field("size", description="Asked as often as they have items, or all alike.")
    limit: Annotated[int, Field(ge=1, le=1000)] = Field(10, description="Items that a search finds.")
    noise: Annotated[float, Field(ge=0.01, le=2)] = Field(
        0.3, description="How far questions lie beside stored vectors, relative to their length."
    )
    compared: Annotated[int, Field(ge=1, le=10_000)] = Field(200, description="Searches compared with exact ones.")
    most_items: Annotated[int, Field(ge=1)] = Field(200_000, description="Of the sample, held in memory.")
    measures: Measures = {}
    timeout: Annotated[Duration, Field(gt=0, le=600)] = 10.0
    in_flight: Annotated[int, Field(ge=1, le=MOST_IN_FLIGHT)] = 256

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if next(arm for arm in self.arms if arm.id == baseline_of(self.arms)).fill:
            raise ValueError("the baseline is what the service uses; fill: is for the others")
        return self


def open_experiment(settings: Mapping[str, Any], clock: Clock) -> Apart:
    """The experiment of these settings, in a process of its own; no store is asked yet.

    Raises:
        pydantic.ValidationError: the settings are wrong, or those of a store.
    """
    del clock
    here = open_here(settings)
    here.close()
    return Apart(open_here, settings, here.arms, here.baseline)


def open_here(settings: Mapping[str, Any], open_store: OpenStore | None = None) -> VectorsExperiment:
    """The same in this process. ``open_store``: by default that of the mover of kind ``points``."""
    read = VectorsSettings.model_validate(dict(settings))
    open_store = open_store or opener()
    return VectorsExperiment(read, open_store, _first_stores(read, open_store))


def _first_stores(settings: VectorsSettings, open_store: OpenStore) -> dict[str, Store]:
    """A store for each arm, so that wrong settings are found now; one that cannot be opened is tried again when it is
    needed."""
    opened: dict[str, Store] = {}
    wrong: list[InitErrorDetails] = []
    for place, arm in enumerate(settings.arms):
        try:
            opened[arm.id] = open_store(arm.store.settings, arm.id)
        except StoreFailed:
            continue
        except ValidationError as error:
            for each in error.errors():
                message = each["msg"].removeprefix("Value error, ").replace("{", "{{").replace("}", "}}")
                kind = each["type"] if each["type"] in ("missing", "extra_forbidden") else "store"
                type_ = PydanticCustomError(kind, message)
                wrong.append({"type": type_, "loc": ("arms", place, "store", *each["loc"]), "input": None})
        except UsageError as error:
            type_ = PydanticCustomError("store", error.message.replace("{", "{{").replace("}", "}}"))
            wrong.append({"type": type_, "loc": ("arms", place, "store"), "input": None})
    if wrong:
        for store in opened.values():
            store.close()
        raise ValidationError.from_exception_data("store", wrong)
    return opened


class VectorsExperiment:
    """Keeps ``outgrow.ports.Experiment``. Requests are searches of one tenant each."""

    def __init__(
        self, settings: VectorsSettings, open_store: OpenStore, first: Mapping[str, Store] | None = None
    ) -> None:
        self._settings = settings
        self._declared = {arm.id: arm for arm in settings.arms}
        self._open_store = open_store
        self._first = dict(first or {})
        self._opened: dict[str, Clients] = {}
        self._sample: Sample | None = None
        self._asked: dict[str, Question] = {}
        self._runner: asyncio.Runner | None = None

    @property
    def arms(self) -> tuple[Arm, ...]:
        """As declared."""
        return arms_of(self._settings.arms)

    @property
    def baseline(self) -> str:
        """The service as it is."""
        return baseline_of(self._settings.arms)

    def prepare(self, arm: str, said: Callable[[str], None]) -> None:
        """Reads the sample where that was not done, fills the arm where that is declared, and warms it."""
        try:
            sample = self._sampled(said)
            opened = self._store(arm)
            if self._declared[arm].fill:
                self._fill(arm, opened, sample, said)
            held = present(opened.first, sample)
            if len(held) < len(sample.tenants):
                lacking = next(each.tenant for each in sample.tenants if each.tenant not in held)
                raise ExperimentFailed(
                    f"{arm} holds {len(held)} of the {len(sample.tenants)} tenants that are asked about; "
                    f"{lacking!r} is not there",
                    next_step="Load the same tenants into it first, or write fill: true.",
                )
            said(f"{_WARMING} searches to warm it")
            for question in self._questions(_WARMING, 0, 3):
                self._near(opened, question)
        except StoreFailed as failed:
            raise _failed(arm, failed) from None

    def capacity(self, arm: str) -> float | None:
        """With as many at a time as brings most."""
        send = self._send(arm, self._questions(_ASKED, 0, 4))
        work = closed_loop(arm, send, in_flight=self._settings.in_flight, timeout_seconds=self._settings.timeout)
        self._runner = self._runner or runner()
        return self._runner.run(work).per_second

    def run(self, arm: str, load: Load) -> Measured:
        """Searches about the sampled tenants, other ones with every seed."""
        if load.rate_per_second is None:
            raise ExperimentFailed("vectors needs a rate", next_step="Write rate: under experiment:.")
        due = departures(load.rate_per_second, load.seconds, load.seed)
        work = open_loop(
            self._send(arm, self._questions(due.size, load.seed, 1)),
            due,
            load.seconds,
            in_flight=self._settings.in_flight,
            timeout_seconds=self._settings.timeout,
        )
        self._runner = self._runner or runner()
        return with_measures(measured(arm, self._runner.run(work)), self._settings.measures)

    def requests(self, seed: int) -> Sequence[Request]:
        """Searches whose right answers are known."""
        sample = self._sampled(lambda _: None)
        asked = self._questions(self._settings.compared, seed, 2)
        self._asked = {f"{seed}-{number}": question for number, question in enumerate(asked, 1)}
        return [
            Request(name, f"search {name} of tenant {sample.tenants[question.tenant].tenant}")
            for name, question in self._asked.items()
        ]

    def answers(self, arm: str, requests: Sequence[Request]) -> Answers:
        """The keys that the store finds."""
        opened = self._store(arm)
        try:
            return Answers({each.id: self._near(opened, self._asked[each.id])[0] for each in requests})
        except StoreFailed as failed:
            raise _failed(arm, failed) from None

    def right(self, requests: Sequence[Request]) -> Answers | None:
        """The keys that are nearest, as the baseline's store was when the sample was read."""
        sample = self._sampled(lambda _: None)
        limit = self._settings.limit
        return Answers({each.id: nearest(sample, self._asked[each.id], limit) for each in requests})

    def footprint(self, arm: str) -> Footprint:
        """As far as the store can tell."""
        return footprint_of(self._store(arm).first, self._declared[arm].store.settings)

    def versions(self) -> Mapping[str, str]:
        """What was asked about."""
        if self._sample is None:
            return {}
        sample = self._sample
        return {
            "tenants asked about": f"{len(sample.tenants)} of {sample.there}",
            "items of these": str(sample.items),
            "dimensions": str(sample.dimensions),
            "their vectors": sample.fingerprint,
        }

    def close(self) -> None:
        """Deletes what was filled in, and gives stores back."""
        for opened in self._opened.values():
            opened.close()
        for store in self._first.values():
            store.close()
        self._opened.clear()
        self._first.clear()
        if self._runner is not None:
            self._runner.close()
            self._runner = None

    def _sampled(self, said: Callable[[str], None]) -> Sample:
        if self._sample is None:
            store = self._store(self.baseline).first
            said(f"reads the sample from {store.name}")
            number = None if self._settings.tenants == "all" else self._settings.tenants
            try:
                self._sample = read_sample(store, number, self._settings.most_items, vector_of)
            except StoreFailed as failed:
                raise _failed(self.baseline, failed) from None
            sample = self._sample
            said(f"{len(sample.tenants)} of {sample.there} tenants, {sample.items:,} items, are asked about")
        return self._sample

    def _store(self, arm: str) -> Clients:
        if arm not in self._opened:
            declared, stores = self._declared[arm], list[Store]()
            try:
                stores += [self._first.pop(arm)] if arm in self._first else []
                while len(stores) < declared.at_a_time:
                    stores.append(self._open_store(declared.store.settings, arm))
                self._opened[arm] = clients_of(arm, stores)
            except (StoreFailed, ExperimentFailed) as failed:
                for store in stores:
                    store.close()
                if isinstance(failed, StoreFailed):
                    raise _failed(arm, failed) from None
                raise
        return self._opened[arm]

    def _fill(self, arm: str, opened: Clients, sample: Sample, said: Callable[[str], None]) -> None:
        """Copies the sampled tenants. What is there already must be the same, and is left where it is at the end."""
        source, target = self._store(self.baseline).first, opened.first
        held = present(target, sample)
        for number, each in enumerate(sample.tenants, 1):
            items = items_of(source, each.tenant)
            if each.tenant in held:
                if each.tenant in opened.filled:
                    continue
                there = {item.key: item.body for item in items_of(target, each.tenant)}
                if {key: digest_of(body or b"") for key, body in there.items()} != {
                    item.key: digest_of(item.body or b"") for item in items
                }:
                    raise ExperimentFailed(
                        f"{arm} holds other items of tenant {each.tenant} than the baseline; nothing was changed there",
                        next_step="Name an empty store where fill: is true.",
                    )
                continue
            opened.filled.append(each.tenant)
            for begin in range(0, len(items), PAGE):
                refused = target.put(each.tenant, GENERATION, items[begin : begin + PAGE]).refused
                if refused:  # a move goes there: only what was just written is taken back, and none of its marks
                    written = [Item(item.key, None) for item in items[: begin + PAGE] if item.key not in refused]
                    target.put(each.tenant, GENERATION, written)
                    opened.filled.remove(each.tenant)
                    raise ExperimentFailed(
                        f"{arm} has marks of a move of tenant {each.tenant}, so it cannot be filled",
                        next_step="Name a store that nothing is moved to.",
                    )
            said(f"filled {number} of {len(sample.tenants)} tenants")
        if sample.there > len(sample.tenants):
            said(
                f"holds {len(sample.tenants)} tenants where the baseline has {sample.there}: the latter has more to do"
            )

    def _questions(self, number: int, seed: int, purpose: int) -> list[Question]:
        sample = self._sampled(lambda _: None)
        return questions(sample, number, self._settings.noise, self._settings.by, (seed, purpose))

    def _near(self, opened: Clients, question: Question) -> tuple[tuple[str, ...], float]:
        sample = self._sampled(lambda _: None)
        tenant = sample.tenants[question.tenant].tenant
        return opened.near(tenant, question.vector.tolist(), self._settings.limit)

    def _send(self, arm: str, asked: Sequence[Question]) -> Send:
        opened, sample, limit = self._store(arm), self._sampled(lambda _: None), self._settings.limit
        prepared = [(sample.tenants[each.tenant].tenant, each.vector.tolist()) for each in asked]

        async def send(number: int) -> float:
            tenant, vector = prepared[number % len(prepared)]
            loop = asyncio.get_running_loop()
            try:
                return (await loop.run_in_executor(opened.threads, opened.near, tenant, vector, limit))[1]
            except StoreFailed as failed:
                raise NotAnswered(failed.message[:200]) from None

        return send


def _failed(arm: str, failed: StoreFailed) -> ExperimentFailed:
    return ExperimentFailed(f"{arm}: {failed.message}", next_step=failed.next_step)
