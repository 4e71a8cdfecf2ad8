"""Services asked over HTTP, the same requests to each: an experiment for whatever has a URL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import httpx2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from outgrow.evidence.records import Arm
from outgrow.experiments.apart import Apart
from outgrow.experiments.arms import Arms, ArmSettings, arms_of, baseline_of
from outgrow.experiments.figures import Measures, with_measures
from outgrow.experiments.http_answers import Pointer, what_counts
from outgrow.experiments.http_client import Service, checked_base, secret_headers
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
from outgrow.experiments.processes import memory_bytes
from outgrow.experiments.recorded import SAFE, DeclaredRequest, Recording, read_recording
from outgrow.points.declaration import Duration
from outgrow.ports import Answers, Clock, ExperimentFailed, Footprint, Load, Measured, Request

BUSY_RATIO = 0.8
"""Above it, of one core, the sender is what is measured."""
_WARM_IN_FLIGHT = 8
_MOST_WARMING = 200

Result = TypeVar("Result")
HeaderName = Annotated[str, Field(min_length=1, max_length=100)]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class HttpArm(ArmSettings):
    """An arm of ``{kind: http}``."""

    url: str = Field(description="Base of all requests.")
    headers_file: Path | None = Field(None, description="Lines of Name: value; must not be readable by everyone.")
    headers_env: dict[HeaderName, Variable] = Field({}, description="Header → variable of the environment.")
    pid_file: Path | None = Field(None, description="Of the process whose memory, with its children's, is the arm's.")


class HttpExperimentSettings(BaseModel):
    """The keys of ``experiment: {kind: http, …}`` that are its own. Secret headers are for every arm, or for one."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str | None = None
    arms: Arms[HttpArm]
    requests: Annotated[tuple[DeclaredRequest, ...], Field(max_length=10_000)] = ()
    recorded_file: Path | None = Field(None, description="JSON lines of requests, or a HAR file.")
    writes: bool = Field(False, description="Send requests that change something, too: to every arm, again and again.")
    ids: Pointer | None = Field(None, description="Where an answer has the ids of what was found: /items/*/id.")
    ignore: tuple[Pointer, ...] = Field((), description="What does not count when answers are compared.")
    compared: Annotated[int, Field(ge=0, le=10_000)] = Field(50, description="Requests whose answers are compared.")
    measures: Measures = {}
    timeout: Annotated[Duration, Field(gt=0, le=600)] = 10.0
    in_flight: Annotated[int, Field(ge=1, le=MOST_IN_FLIGHT)] = 256
    headers_file: Path | None = None
    headers_env: dict[HeaderName, Variable] = {}
    ca_file: Path | None = Field(None, description="Certificates to trust instead of the system's.")
    insecure_plain_http: Literal["accept-the-risk"] | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.requests) == bool(self.recorded_file):
            raise ValueError("declare what is asked, either by requests: or by recorded_file:")
        writing = [request.text for request in self.requests if request.method not in SAFE]
        if writing and not self.writes:
            raise ValueError(f"{writing[0]} may change something on every arm; if so be it, write writes: true")
        if self.ids and self.ignore:
            raise ValueError("ids: says all that is compared, so ignore: has no effect; keep one")
        for arm in self.arms:
            try:
                checked_base(arm.url, secret=self.has_secret(arm), plain=self.insecure_plain_http is not None)
            except ValueError as wrong:
                raise ValueError(f"{arm.id}: {wrong}") from None
        return self

    def has_secret(self, arm: HttpArm) -> bool:
        """Whether secret headers are sent to the arm."""
        return bool(self.headers_file or self.headers_env or arm.headers_file or arm.headers_env)


def open_experiment(settings: Mapping[str, Any], clock: Clock) -> Apart:
    """The experiment of these settings, in a process of its own; nothing is asked yet.

    Raises pydantic's ``ValidationError`` for wrong settings, ``ValueError`` for a recording that cannot be used.
    """
    del clock
    here = open_here(settings)
    return Apart(open_here, settings, here.arms, here.baseline)


def open_here(settings: Mapping[str, Any]) -> HttpExperiment:
    """The same in this process."""
    read = HttpExperimentSettings.model_validate(dict(settings))
    recording = (
        Recording(read.requests, {})
        if read.recorded_file is None
        else read_recording(read.recorded_file, writes=read.writes)
    )
    return HttpExperiment(read, recording)


class HttpExperiment:
    """Keeps ``outgrow.ports.Experiment``. A request counts as answered with a status below 400.

    Connections are kept between rounds, so that none is timed while it is being made, save where load needs more.
    """

    def __init__(self, settings: HttpExperimentSettings, recording: Recording) -> None:
        self._settings = settings
        self._recording = recording
        self._declared = {arm.id: arm for arm in settings.arms}
        self._runner: asyncio.Runner | None = None
        self._services: dict[str, tuple[Service, tuple[httpx2.Request, ...]]] = {}

    @property
    def arms(self) -> tuple[Arm, ...]:
        """As declared."""
        return arms_of(self._settings.arms)

    @property
    def baseline(self) -> str:
        """The service as it is."""
        return baseline_of(self._settings.arms)

    def prepare(self, arm: str, said: Callable[[str], None]) -> None:
        """Asks every request once, at most 200 of them: each must be answered."""
        for reason, number in self._recording.left_out.items():
            said(f"{number:,} recorded requests are left out: {reason}")
        _, requests = self._service(arm)
        number = min(len(requests), _MOST_WARMING)
        said(f"asks {self._declared[arm].url}, {number} requests once each")
        self._answered(arm, range(number))

    def capacity(self, arm: str) -> float | None:
        """At most 0.8 times what this process can send: beyond that it would measure itself."""
        send = self._send(arm, np.arange(len(self._recording.requests)))
        found = self._run(
            closed_loop(arm, send, in_flight=self._settings.in_flight, timeout_seconds=self._settings.timeout)
        )
        return min(found.per_second, BUSY_RATIO * found.per_second / max(found.busy_ratio, 1e-9))

    def run(self, arm: str, load: Load) -> Measured:
        """Requests drawn from those declared or recorded, each as often as it is among them."""
        if load.rate_per_second is None:
            raise ExperimentFailed("http needs a rate", next_step="Write rate: under experiment:.")
        due = departures(load.rate_per_second, load.seconds, load.seed)
        drawn = np.random.default_rng([load.seed, 1]).integers(len(self._recording.requests), size=due.size)
        settings = self._settings
        self._run(self._warm(arm))
        sent = self._run(
            open_loop(
                self._send(arm, drawn),
                due,
                load.seconds,
                in_flight=settings.in_flight,
                timeout_seconds=settings.timeout,
            )
        )
        result = measured(arm, sent)
        if sent.busy_ratio > BUSY_RATIO and sent.lag_seconds > 0.25 * result.p50_seconds:
            raise ExperimentFailed(
                f"{arm} was asked {load.rate_per_second:,.0f} requests a second, which took {sent.busy_ratio:.0%} of "
                "a core to send: that would be measured instead of the service; write a smaller `rate:`",
                next_step="Write rate: under experiment:, at most half as much.",
            )
        return with_measures(result, settings.measures)

    def requests(self, seed: int) -> Sequence[Request]:
        """Different ones, drawn."""
        different = list(dict.fromkeys(request.model_dump_json() for request in self._recording.requests))
        first = {request.model_dump_json(): at for at, request in reversed(list(enumerate(self._recording.requests)))}
        number = min(self._settings.compared, len(different))
        chosen = np.random.default_rng([seed, 2]).choice(len(different), size=number, replace=False)
        places = [first[different[each]] for each in sorted(chosen.tolist())]
        return [Request(str(place + 1), self._recording.requests[place].text) for place in places]

    def answers(self, arm: str, requests: Sequence[Request]) -> Answers:
        """Ids, or digests of whole answers."""
        places = [int(request.id) - 1 for request in requests]
        given = self._answered(arm, places)
        settings = self._settings
        found = {
            request.id: what_counts(body, status, settings.ids, settings.ignore)
            for request, (status, body) in zip(requests, given, strict=True)
        }
        if settings.ids and requests and not any(found.values()):
            raise ExperimentFailed(
                f"{arm}: none of {len(found)} answers has an id at {settings.ids}",
                next_step="See an answer by hand, and correct ids:.",
            )
        return Answers(found)

    def right(self, requests: Sequence[Request]) -> Answers | None:
        """Nobody knows: the baseline's answers are what is asked for."""
        del requests
        return None

    def footprint(self, arm: str) -> Footprint:
        """Memory of the process in ``pid_file`` and its children; not known without."""
        file = self._declared[arm].pid_file
        return Footprint(None if file is None else memory_bytes(file))

    def versions(self) -> Mapping[str, str]:
        """Of the client, and as services say of themselves."""
        said = {f"{arm} server": service.server[:200] for arm, (service, _) in self._services.items() if service.server}
        return {"httpx2": httpx2.__version__, "requests": self._recording.fingerprint, **said}

    def close(self) -> None:
        """Closes all connections."""
        if self._runner is None:
            return
        for service, _ in self._services.values():
            self._runner.run(service.close())
        self._services.clear()
        self._runner.close()
        self._runner = None

    def _service(self, arm: str) -> tuple[Service, tuple[httpx2.Request, ...]]:
        if arm not in self._services:
            settings, declared = self._settings, self._declared[arm]
            headers = secret_headers(settings.headers_file, settings.headers_env)
            headers |= secret_headers(declared.headers_file, declared.headers_env)
            try:
                service = Service(declared.url.rstrip("/"), headers, settings.in_flight, settings.ca_file)
            except OSError as failed:
                raise ExperimentFailed(f"ca_file {settings.ca_file} cannot be used: {failed}") from None
            self._services[arm] = service, tuple(service.built(request) for request in self._recording.requests)
        return self._services[arm]

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        self._runner = self._runner or runner()
        return self._runner.run(work)

    def _send(self, arm: str, order: NDArray[np.int64]) -> Send:
        service, requests = self._service(arm)

        async def send(number: int) -> None:
            await service.ask(requests[order[number % len(order)]])

        return send

    async def _warm(self, arm: str) -> None:
        """So many connections as a calm moment needs."""
        service, requests = self._service(arm)
        calm = [request for request in requests[:_WARM_IN_FLIGHT] if request.method in SAFE]
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.timeout):
                await asyncio.gather(*(service.ask(request) for request in calm), return_exceptions=True)

    def _answered(self, arm: str, places: Sequence[int]) -> list[tuple[int, bytes]]:
        """The answers to these requests, asked one after the other. Raises ``ExperimentFailed``."""
        service, requests = self._service(arm)

        async def ask() -> list[tuple[int, bytes]]:
            found = []
            for place in places:
                try:
                    async with asyncio.timeout(self._settings.timeout):
                        found.append(await service.ask(requests[place]))
                except (NotAnswered, TimeoutError) as failed:
                    reason = str(failed) or f"no answer within {self._settings.timeout:g} s"
                    raise ExperimentFailed(
                        f"{arm} ({self._declared[arm].url}): {self._recording.requests[place].text}: {reason}",
                        next_step="Ask for it by hand; declare only what every arm can answer.",
                    ) from None
            return found

        return self._run(ask())
