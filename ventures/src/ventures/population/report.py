"""What a load came to: a document, a table, and ramps as `outgrow import` takes them. Pure."""

from collections.abc import Sequence
from typing import Final

import msgspec

from ventures.population.latencies import Latencies
from ventures.population.loading import Step
from ventures.population.workload import NAMES, Findings

SATURATED: Final = "generator saturated: figures are of the generator"
RAMP_COLUMNS: Final = "load_per_second,p50_seconds,p95_seconds,p99_seconds,throughput_per_second,loop,time"


class Times(msgspec.Struct, frozen=True):
    """Latencies in seconds from when each request was to leave; None where there are none. count: good answers, and
    requests without any or not sent, which count as if they took the time-out; refusals and faults have no latency.
    """

    count: int
    p50_seconds: float | None
    p95_seconds: float | None
    p99_seconds: float | None
    max_seconds: float

    @classmethod
    def of(cls, found: Latencies) -> "Times":
        """The usual quantiles."""
        return cls(found.count, found.quantile(0.5), found.quantile(0.95), found.quantile(0.99), found.most)


class StepReport(msgspec.Struct, frozen=True, kw_only=True):
    """One step. offered = dropped + answered + unanswered. errors: answered with a refusal or a fault, by status and
    kind, and unanswered ones, by why; unmodified: answered 304.
    """

    users: float
    seconds: float
    offered: int
    dropped: int
    answered: int
    unanswered: int
    unmodified: int
    offered_per_second: float
    answered_per_second: float
    errors: dict[str, int]
    whole: Times
    operations: dict[str, Times]
    generator_cpu: float
    """Share of a core."""
    generator_cpu_microseconds: float
    """For each request sent."""
    generator_late_p99_seconds: float | None
    saturated: bool


class Accuracy(msgspec.Struct, frozen=True, kw_only=True):
    """Of searches for what is known to be there. relevant_ratio: of the first ten hits, or of as many as there are
    relevant items; foreign: hits of another venture; answered_by: how often by what.
    """

    searches: int
    relevant_ratio: float | None
    foreign: int
    answered_by: dict[str, int]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run. began_at: ISO 8601. left_out: operations that this API does not have. histogram: of all answers,
    (upper edge in seconds, how many). note: what makes the figures worth less, or None.
    """

    began_at: str
    url: str
    users: int
    seed: int
    rate_per_user: float
    most_under_way: int
    left_out: list[str]
    steps: list[StepReport]
    whole: Times
    operations: dict[str, Times]
    errors: dict[str, int]
    accuracy: Accuracy
    histogram: list[tuple[float, int]]
    note: str | None


def step_report(step: Step) -> StepReport:
    """One step in figures."""
    seconds = step.seconds or 1.0
    sent = step.offered - step.dropped
    return StepReport(
        users=step.level.users,
        seconds=step.seconds,
        offered=step.offered,
        dropped=step.dropped,
        answered=step.answered,
        unanswered=sent - step.answered,
        unmodified=step.unmodified,
        offered_per_second=step.offered / seconds,
        answered_per_second=step.answered / seconds,
        errors=_errors([step]),
        whole=Times.of(step.whole),
        operations={NAMES[number]: Times.of(one) for number, one in enumerate(step.latencies) if one.count},
        generator_cpu=step.cpu_seconds / seconds,
        generator_cpu_microseconds=step.cpu_seconds / max(sent, 1) * 1e6,
        generator_late_p99_seconds=step.lateness.quantile(0.99),
        saturated=step.saturated,
    )


def report(
    steps: Sequence[Step],
    findings: Findings,
    *,
    began_at: str,
    url: str,
    users: int,
    seed: int,
    rate_per_user: float,
    most_under_way: int,
    left_out: list[str],
) -> Report:
    """All steps together."""
    whole = Latencies()
    operations = [Latencies() for _ in NAMES]
    for step in steps:
        whole.merge(step.whole)
        for number, one in enumerate(step.latencies):
            operations[number].merge(one)
    return Report(
        began_at=began_at,
        url=url,
        users=users,
        seed=seed,
        rate_per_user=rate_per_user,
        most_under_way=most_under_way,
        left_out=left_out,
        steps=[step_report(step) for step in steps],
        whole=Times.of(whole),
        operations={NAMES[number]: Times.of(one) for number, one in enumerate(operations) if one.count},
        errors=_errors(steps),
        accuracy=Accuracy(
            searches=findings.searches,
            relevant_ratio=findings.share / findings.searches if findings.searches else None,
            foreign=findings.foreign,
            answered_by=findings.answered_by,
        ),
        histogram=whole.histogram(),
        note=SATURATED if any(step.saturated for step in steps) else None,
    )


def ramp_csv(found: Report, operation: str | None = None) -> str | None:
    """The steps as a table for `outgrow import`: of all requests, or of one operation. None where a step lacks it."""
    rows = [RAMP_COLUMNS]
    for step in found.steps:
        times = step.whole if operation is None else step.operations.get(operation)
        if times is None or times.p50_seconds is None:
            return None
        figures = (step.offered_per_second, times.p50_seconds, times.p95_seconds, times.p99_seconds)
        throughput = step.answered_per_second if operation is None else times.count / (step.seconds or 1.0)
        rows.append(",".join(f"{one:.6g}" for one in (*figures, throughput)) + f",open,{found.began_at}")
    return "\n".join(rows) + "\n"


def table(found: Report) -> list[list[str]]:
    """For the terminal: a line for each step, then one for each operation."""
    rows = [["users", "offered/s", "answered/s", "dropped", "errors", "p50 ms", "p95 ms", "p99 ms", "max ms"]]
    for step in found.steps:
        faults = sum(step.errors.values())
        rows.append(
            [
                f"{step.users:.0f}",
                f"{step.offered_per_second:.1f}",
                f"{step.answered_per_second:.1f}",
                str(step.dropped),
                str(faults),
                *_milliseconds(step.whole),
            ]
        )
    rows.append(["operation", "", "count", "", "", "p50 ms", "p95 ms", "p99 ms", "max ms"])
    rows += [[name, "", str(one.count), "", "", *_milliseconds(one)] for name, one in found.operations.items()]
    return rows


def _milliseconds(times: Times) -> list[str]:
    found = (times.p50_seconds, times.p95_seconds, times.p99_seconds, times.max_seconds)
    return ["-" if one is None else f"{one * 1000:.1f}" for one in found]


def _errors(steps: Sequence[Step]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for step in steps:
        for (operation, why), count in step.errors.items():
            name = f"{NAMES[operation]}: {why}"
            counted[name] = counted.get(name, 0) + count
    return dict(sorted(counted.items(), key=lambda one: -one[1]))
