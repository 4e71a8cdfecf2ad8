"""Any programs that measure themselves and print one line of JSON: an experiment for every stack.

Each arm is asked by a program of its own, started anew in every round. The last line that it prints is what it
measured; what it prints before is its own affair.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from outgrow.evidence.records import Arm
from outgrow.experiments.arms import Arms, ArmSettings, arms_of, baseline_of
from outgrow.experiments.programs import ProgramFailed, Programs, printable
from outgrow.points.declaration import Duration
from outgrow.ports import Answers, Clock, ExperimentFailed, Footprint, Load, Measured, Request

MOST_REQUESTS = 10_000
_MOST_PROGRAM_BYTES = 10_000_000


def _argv(value: Any) -> Any:
    if isinstance(value, str):
        raise ValueError("write a list of program and arguments, as no shell reads it: [python, measure.py, --fast]")
    return value


Word = Annotated[str, Field(max_length=10_000, pattern=r"^[^\x00]*$")]
Argv = Annotated[tuple[Word, ...], BeforeValidator(_argv), Field(min_length=1, max_length=1000)]


class CommandArm(ArmSettings):
    """An arm of ``{kind: command}``: its programs, run where outgrow is run."""

    command: Argv = Field(description="Measures the arm for OUTGROW_SECONDS and prints one line of JSON.")
    prepare: Argv | None = Field(None, description="Sets the arm up, once; what it leaves running is ended at the end.")
    answers: Argv | None = Field(None, description='Prints {"answers": {request: [ids]}}, to compare arms.')
    capacity: Argv | None = Field(None, description='Prints {"throughput_per_second": …}: the most it can answer.')


class CommandSettings(BaseModel):
    """The keys of ``experiment: {kind: command, …}`` that are its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str | None = None
    arms: Arms[CommandArm]
    right: Argv | None = Field(None, description="Prints the right answers as answers does, where somebody knows them.")
    timeout: Annotated[Duration, Field(gt=0, le=86400)] = Field(
        60.0, description="For a program, beyond the seconds that it is asked to measure."
    )
    prepare_timeout: Annotated[Duration, Field(gt=0, le=86400)] = 600.0

    @model_validator(mode="after")
    def _all_or_none(self) -> Self:
        for key in ("answers", "capacity"):
            without = [arm.id for arm in self.arms if getattr(arm, key) is None]
            if without and len(without) < len(self.arms):
                raise ValueError(f"{', '.join(without)}: {key} is missing; every arm needs it, or none")
        if self.right and self.arms[0].answers is None:
            raise ValueError("right: is only compared with answers, and no arm has a program for these")
        return self


Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Printed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class PrintedRun(_Printed):
    """What a program prints about one round."""

    p50_seconds: Positive
    p95_seconds: Positive
    p99_seconds: Positive
    sent: Annotated[int, Field(gt=0)]
    dropped: Annotated[int, Field(ge=0)]
    throughput_per_second: NotNegative
    measures: dict[str, Annotated[float, Field(allow_inf_nan=False)]] = {}
    memory_bytes: NotNegative | None = None
    disk_bytes: NotNegative | None = None
    monthly_cost: NotNegative | None = None
    versions: dict[str, Annotated[str, Field(min_length=1, max_length=200)]] = {}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.p50_seconds <= self.p95_seconds <= self.p99_seconds:
            raise ValueError("p50_seconds ≤ p95_seconds ≤ p99_seconds does not hold")
        if self.dropped > self.sent:
            raise ValueError(f"dropped is {self.dropped}, more than sent, {self.sent}")
        return self


class PrintedCapacity(_Printed):
    """What a program prints about the most it can answer."""

    throughput_per_second: Positive


class PrintedAnswers(_Printed):
    """What a program prints to be compared: request → ids of what it found; ``texts`` names requests for people."""

    answers: Annotated[dict[str, tuple[str | int, ...]], Field(max_length=MOST_REQUESTS, strict=False)]
    texts: dict[str, str] = {}

    @property
    def by_request(self) -> dict[str, tuple[str, ...]]:
        """With all ids as text."""
        return {request: tuple(map(str, ids)) for request, ids in self.answers.items()}


AnyPrinted = TypeVar("AnyPrinted", bound=_Printed)


def open_experiment(settings: Mapping[str, Any], clock: Clock) -> CommandExperiment:
    """The experiment of these settings; nothing is started yet. Raises pydantic's ``ValidationError``."""
    del clock
    return CommandExperiment(CommandSettings.model_validate(dict(settings)))


class CommandExperiment:
    """Keeps ``outgrow.ports.Experiment``. Programs find in their environment OUTGROW_ARM, OUTGROW_SEED,
    OUTGROW_SECONDS, and OUTGROW_RATE where a rate is given ("" where they choose their own)."""

    def __init__(self, settings: CommandSettings) -> None:
        self._settings = settings
        self._arms = {arm.id: arm for arm in settings.arms}
        self._programs = Programs()
        self._last: dict[str, PrintedRun] = {}
        self._seed = 0

    @property
    def arms(self) -> tuple[Arm, ...]:
        """As declared."""
        return arms_of(self._settings.arms)

    @property
    def baseline(self) -> str:
        """The service as it is."""
        return baseline_of(self._settings.arms)

    def prepare(self, arm: str, said: Callable[[str], None]) -> None:
        """Runs the arm's ``prepare``; what it leaves running is ended by ``close``."""
        argv = self._arms[arm].prepare
        if argv is None:
            return
        said(f"runs {printable(' '.join(argv))[:80]}")
        try:
            self._programs.run(argv, self._environment(arm), self._settings.prepare_timeout, keep=True)
        except ProgramFailed as failed:
            raise ExperimentFailed(f"{arm}: prepare: {failed}", next_step=_next_step(argv, arm)) from None

    def capacity(self, arm: str) -> float | None:
        """As the arm's ``capacity`` says; None where there is none."""
        argv = self._arms[arm].capacity
        if argv is None:
            return None
        return self._printed(arm, "capacity", argv, PrintedCapacity).throughput_per_second

    def run(self, arm: str, load: Load) -> Measured:
        """As the arm's ``command`` says."""
        printed = self._printed(arm, "command", self._arms[arm].command, PrintedRun, load)
        self._last[arm] = printed
        return Measured(
            printed.p50_seconds,
            printed.p95_seconds,
            printed.p99_seconds,
            printed.sent,
            printed.dropped,
            printed.throughput_per_second,
            printed.measures,
        )

    def requests(self, seed: int) -> Sequence[Request]:
        """Those that the baseline answers; where it fails, the first arm that does."""
        self._seed = seed
        failed: ExperimentFailed | None = None
        for arm in sorted(self._arms, key=lambda each: each != self.baseline):
            argv = self._arms[arm].answers
            if argv is None:
                return ()
            try:
                printed = self._printed(arm, "answers", argv, PrintedAnswers)
            except ExperimentFailed as error:
                failed = failed or error
                continue
            return tuple(Request(each, printable(printed.texts.get(each, each))) for each in printed.answers)
        raise failed or ExperimentFailed("no arm answers")

    def answers(self, arm: str, requests: Sequence[Request]) -> Answers:
        """As the arm's ``answers`` says; what it does not name, it did not find."""
        argv = self._arms[arm].answers
        found = {} if argv is None else self._printed(arm, "answers", argv, PrintedAnswers).by_request
        return Answers({each.id: found.get(each.id, ()) for each in requests})

    def right(self, requests: Sequence[Request]) -> Answers | None:
        """As ``right`` says; None where nothing does."""
        argv = self._settings.right
        if argv is None:
            return None
        found = self._printed("", "right", argv, PrintedAnswers).by_request
        missing = [each.id for each in requests if each.id not in found]
        if missing:
            raise ExperimentFailed(
                f"right: {argv[0]} says nothing of {len(missing)} of {len(requests)} requests, {missing[0]!r} first",
                next_step="It must name what is right for every request that answers: names.",
            )
        return Answers({each.id: found[each.id] for each in requests})

    def footprint(self, arm: str) -> Footprint:
        """What it last printed of it."""
        last = self._last.get(arm)
        return Footprint() if last is None else Footprint(last.memory_bytes, last.disk_bytes, last.monthly_cost)

    def versions(self) -> Mapping[str, str]:
        """What arms printed of it, by arm, and what stands for the programs."""
        said = {f"{arm} {name}": version for arm, last in self._last.items() for name, version in last.versions.items()}
        return {"programs": _fingerprint(self._arms.values()), **said}

    def close(self) -> None:
        """Ends what ``prepare`` left running."""
        self._programs.close()

    def _environment(self, arm: str, load: Load | None = None) -> dict[str, str]:
        rate = "" if load is None or load.rate_per_second is None else f"{load.rate_per_second:.6g}"
        seconds = "" if load is None else f"{load.seconds:g}"
        seed = str(self._seed if load is None else load.seed)
        return {"OUTGROW_ARM": arm, "OUTGROW_SEED": seed, "OUTGROW_SECONDS": seconds, "OUTGROW_RATE": rate}

    def _printed(self, arm: str, key: str, argv: Argv, form: type[AnyPrinted], load: Load | None = None) -> AnyPrinted:
        where = f"{arm}: {key}" if arm else key
        seconds = self._settings.timeout + (0.0 if load is None else load.seconds)
        try:
            output = self._programs.run(argv, self._environment(arm, load), seconds)
        except ProgramFailed as failed:
            raise ExperimentFailed(f"{where}: {failed}", next_step=_next_step(argv, arm)) from None
        try:
            return _read(output, form)
        except ValueError as wrong:
            raise ExperimentFailed(f"{where}: {argv[0]} {wrong}", next_step=_next_step(argv, arm)) from None


def _fingerprint(arms: Iterable[CommandArm]) -> str:
    """Stands for the files that arms' programs and arguments name, as they are now."""
    found = hashlib.blake2b(digest_size=8)
    for word in (word for arm in arms for argv in (arm.command, arm.prepare, arm.answers) for word in argv or ()):
        path = Path(word)
        with suppress(OSError, ValueError):
            if path.is_file() and path.stat().st_size <= _MOST_PROGRAM_BYTES:
                found.update(word.encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


def _read(output: bytes, form: type[AnyPrinted]) -> AnyPrinted:
    """The last line, as JSON of a form. Raises ``ValueError`` with what is wrong, as the end of a sentence."""
    lines = [line for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
    if not lines:
        raise ValueError("printed nothing on stdout; it must print one line of JSON")
    shown = printable(lines[-1].strip())
    shown = shown if len(shown) <= 120 else f"{shown[:60]} … {shown[-40:]}"
    try:
        return form.model_validate_json(lines[-1])
    except ValidationError as error:
        found = error.errors()[0]
    if found["type"] == "json_invalid":
        raise ValueError(f"printed a last line that is no JSON: {shown}")
    path = ".".join(map(str, found["loc"]))
    message = {"missing": "is missing", "extra_forbidden": "is not a known key"}.get(
        found["type"], found["msg"].removeprefix("Value error, ").replace("Input should be", "should be")
    )
    raise ValueError(f"printed JSON in which {path + ' ' if path else ''}{message}: {shown}")


def _next_step(argv: Sequence[str], arm: str) -> str:
    return f"Run it by hand: OUTGROW_ARM={arm} OUTGROW_SEED=1 OUTGROW_SECONDS=2 {printable(' '.join(argv))[:200]}"
