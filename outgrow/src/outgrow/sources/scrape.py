"""The embedded recorder's source: scrapes targets itself and evaluates the declared signals, without a Prometheus."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, Protocol, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from outgrow.errors import LedgerError, SourceError
from outgrow.points.declaration import Signal
from outgrow.ports import Clock, History, Observation, Sample
from outgrow.quantities import DAY
from outgrow.signals.evaluation import evaluate
from outgrow.sources.exposition import ACCEPT, Exposed, exposed
from outgrow.sources.fetching import Fetcher, HttpSettings
from outgrow.sources.held import HeldScrapes, Needed, needed_for

_MAX_MEMBERS = 500
_PARALLEL = 8
_REMEMBER_SECONDS = 30.0  # a restart loses at most so much of what is held

LabelName = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]


class Memory(Protocol):
    """Where held scrapes survive the process; a ledger is one."""

    def put_memory(self, source: str, key: str, content: bytes) -> None:
        """Remember; the last of a (source, key) wins."""
        ...

    def memory(self, source: str, key: str) -> bytes | None:
        """What was remembered, or None."""
        ...


class Target(BaseModel):
    """One address to scrape. Its series carry ``labels`` and ``instance``: the name, else host:port."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    url: str
    name: str | None = Field(None, min_length=1)
    labels: dict[LabelName, str] = {}


def _target(value: Any) -> Any:
    return {"url": value} if isinstance(value, str) else value


class ScrapeSettings(HttpSettings):
    """The keys of ``{kind: scrape, …}`` in ``sources``."""

    targets: tuple[Annotated[Target, BeforeValidator(_target)], ...] = Field(
        min_length=1, description="URLs, or {url, name, labels}; /metrics where a URL has no path."
    )
    labels: dict[LabelName, str] = Field({}, description="Added to every series of every target, e.g. job: api.")

    @model_validator(mode="after")
    def _urls_can_be_asked(self) -> Self:
        for index, target in enumerate(self.targets):
            try:
                self.checked_url(target.url)
            except ValueError as wrong:
                raise ValueError(f"targets.{index}: {wrong}") from None
        return self


def open_source(config: Mapping[str, Any], clock: Clock, memory: Memory | None = None) -> ScrapeSource:
    """The source for the settings in ``outgrow.yaml``. Nothing is scraped yet.

    Args:
        config: the settings.
        clock: the port's; times come with each observation.
        memory: where scrapes are held between processes; without it, a rate needs two scrapes in one process.

    Raises:
        pydantic.ValidationError: the settings are wrong.
    """
    del clock
    return ScrapeSource(ScrapeSettings.model_validate(dict(config)), memory)


class ScrapeSource:
    """Targets scraped side by side at each observation. It holds samples for the longest window, and no longer.

    ``memory_key`` is where they are held between processes; other targets have another key. ``keeps_history`` says that
    there is no past to ask it for.
    """

    keeps_history = False

    def __init__(self, settings: ScrapeSettings, memory: Memory | None = None) -> None:
        self._settings = settings
        self._fetcher = Fetcher(settings)
        self._memory = memory
        self._urls, self._labels = _named(settings)
        digest = hashlib.sha256(repr(sorted(self._urls.items())).encode()).hexdigest()[:12]
        self.memory_key = f"scrapes {digest}"
        self._held: HeldScrapes | None = None
        self._remembered_at: float | None = None
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The name given in the file, else the kind."""
        return self._settings.name or "scrape"

    def close(self) -> None:
        """Give the connections back."""
        self._fetcher.close()

    def reachable(self) -> str | None:
        """None when every target answers with metrics, else which do not, and why."""
        answers = self._scraped(Needed({}))
        failed = [f"{name}: {answer}" for name, answer in answers.items() if isinstance(answer, str)]
        return "; ".join(failed) or None

    def observe(self, signals: Mapping[str, Signal], at: float) -> Observation:
        """Scrape every target once and evaluate; samples without a time of their own count as taken at ``at``.

        A missing target makes the signals it has part in unknown: the sum of the others would pass for the whole.
        """
        with self._lock:
            held = self._loaded()
            behind = 0.0 if held.latest is None else held.latest - at
            if behind > DAY:  # that future was a mistake; waiting for it would be one too
                self._held = HeldScrapes()
            if behind > 0:
                reason = f"the clock went back by {behind:.0f} s since the last scrape; wait until it has caught up"
                return Observation(unknown=dict.fromkeys(signals, reason))
            needed = needed_for(signals.values())
            answers = self._scraped(needed)
            held.begin(at, self._labels)
            for target, answer in answers.items():
                if isinstance(answer, str):
                    held.missing(target, answer)
                else:
                    held.answered(target, *answer, needed)
            held.forget(needed)
            self._remember(held, at)
            return _evaluated(signals, held, at)

    def history(self, signals: Mapping[str, Signal], start: float, end: float, step_seconds: float) -> History:
        """Nothing: what was recorded is in the ledger."""
        del start, end, step_seconds
        return History(unknown=dict.fromkeys(signals, "scraping has no past; what was recorded is in the ledger"))

    def _scraped(self, needed: Needed) -> dict[str, tuple[frozenset[str], list[Exposed]] | str]:
        with ThreadPoolExecutor(min(_PARALLEL, len(self._urls))) as pool:
            return dict(
                zip(self._urls, pool.map(lambda url: self._scrape(url, needed), self._urls.values()), strict=True)
            )

    def _scrape(self, url: str, needed: Needed) -> tuple[frozenset[str], list[Exposed]] | str:
        names, kept = set[str](), list[Exposed]()
        try:
            for sample in exposed(self._fetcher.fetch(url, accept=ACCEPT)):
                names.add(sample.metric)
                if sample.metric in needed.selections:
                    kept.append(sample)
        except SourceError as why:
            return str(why)
        except Exception as why:  # what no one foresaw costs this target only
            return f"its answer cannot be read ({type(why).__name__})"
        return frozenset(names), kept

    def _loaded(self) -> HeldScrapes:
        if self._held is None:
            content = None
            if self._memory is not None:
                try:
                    content = self._memory.memory(self.name, self.memory_key)
                except LedgerError:  # whoever keeps the samples will say so
                    content = None
            self._held = HeldScrapes.from_bytes(content) if content else HeldScrapes()
        return self._held

    def _remember(self, held: HeldScrapes, at: float) -> None:
        if self._memory is None:
            return
        if self._remembered_at is not None and 0 <= at - self._remembered_at < _REMEMBER_SECONDS:
            return
        try:
            self._memory.put_memory(self.name, self.memory_key, held.to_bytes())
        except LedgerError:  # whoever keeps the samples will say so
            return
        self._remembered_at = at


def _evaluated(signals: Mapping[str, Signal], held: HeldScrapes, at: float) -> Observation:
    tracks, samples, unknown, idle = held.tracks(), list[Sample](), dict[str, str](), set[str]()
    for name, signal in signals.items():
        doubt = held.doubt(signal)
        reading = None if doubt else evaluate(signal, tracks, at)
        if reading is None or reading.value is None:
            unknown[name] = doubt or (reading.reason if reading else "")
            if reading is not None and reading.idle:
                idle.add(name)
            continue
        if len(reading.members) > _MAX_MEMBERS:
            unknown[name] = (
                f"it has {len(reading.members)} members by {signal.by}, more than the {_MAX_MEMBERS} that can be kept"
            )
            continue
        samples.append(Sample(name, at, reading.value))
        samples += (Sample(name, at, value, member) for member, value in reading.members.items())
    return Observation(tuple(samples), unknown, frozenset(idle))


def _named(settings: ScrapeSettings) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """URL and labels of each target, by what it is called in messages."""
    urls: dict[str, str] = {}
    labels: dict[str, dict[str, str]] = {}
    for target in settings.targets:
        parts = urlsplit(target.url)
        instance = target.name or parts.netloc
        called, count = instance, 1
        while called in urls:
            count += 1
            called = f"{instance} #{count}"
        urls[called] = parts._replace(path=parts.path or "/metrics").geturl()
        labels[called] = {"instance": instance, **settings.labels, **target.labels}
    return urls, labels
