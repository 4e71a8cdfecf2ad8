"""``outgrow baseline record``: the service as it is before a move, measured and kept."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated, Any

import typer
from rich.text import Text

from outgrow.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, NoInputOption, PlainOption
from outgrow.cli.output import emit_json, emit_line, err, hint, out
from outgrow.cli.validate_progress import telling
from outgrow.errors import OutgrowError, UsageError
from outgrow.migrating.befores import Before
from outgrow.points.declaration import Point
from outgrow.proving import machine
from outgrow.quantities import format_quantity, iso_date
from outgrow.validating import record_baseline
from outgrow.validation.baseline import Baseline, noise_of
from outgrow.wiring import Workspace, chosen_point, open_workspace, workload_of

app = typer.Typer(
    help="Measure the service as it is before a move, to hold what comes after against it.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def baseline() -> None:
    """Measure the service as it is before a move, to hold what comes after against it."""


@app.command("record")
def record(
    point: Annotated[str, typer.Argument(help="The rewrite point: its id, or its number.", show_default=False)],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
    plain: PlainOption = False,
    no_input: NoInputOption = False,
) -> None:
    """Measure the arm before of the point's validation, in rounds fixed beforehand, and keep it in the ledger.

    Nothing is refused; where the figures are noisy, it says so.
    """
    with open_workspace(config) as workspace:
        chosen: Point = chosen_point(workspace.declaration, point)
        kept = _recorded(workspace, chosen, "")
    noise = noise_of(kept)
    if as_json:
        emit_json(_fields(kept, noise))
    elif plain:
        emit_line(f"baseline\t{kept.point}\t{baseline_sentence(kept)}")
        for each in noise:
            emit_line(f"note\t{each}")
    else:
        out().print(Text(baseline_sentence(kept)), soft_wrap=True)
    for each in noise if not plain else ():
        err().print(Text(f"warning: {each}", style="yellow"), soft_wrap=True)
    told = "" if config == DEFAULT_CONFIG else f" --config {config}"
    hint(f"outgrow migrate {chosen.id} start{told}" if chosen.migration else f"outgrow validate {chosen.id}{told}")


def take_baseline(workspace: Workspace, point: Point, occasion: str) -> Before:
    """Records a baseline before a step of a move. It never raises but for Ctrl-C, lest it stops the move.

    Args:
        occasion: what it is taken for, ``outgrow.migrating.befores.occasion_of``.
    """
    if point.validation is None:
        return Before(False, f"no before is taken: {point.id} declares no validation")
    try:
        kept = _recorded(workspace, point, occasion)
    except OutgrowError as failed:
        return Before(False, f"no before is taken: {failed.message}")
    except Exception as failed:  # of a plugin's experiment: a move does not stand still for its fault
        return Before(False, f"no before is taken: {type(failed).__name__}: {failed}")
    return Before(True, "; ".join((baseline_sentence(kept).rstrip("."), *noise_of(kept))))


def baseline_sentence(kept: Baseline) -> str:
    """``The before of search: p95 of shared is 84 ms, 12 rounds at 20/s.``"""
    p95 = "not known" if kept.p95_seconds is None else format_quantity(kept.p95_seconds, "seconds")
    rate = "" if kept.rate_per_second is None else f" at {format_quantity(kept.rate_per_second, 'per_second')}"
    return f"The before of {kept.point}: p95 of {kept.arm} is {p95}, {len(kept.rounds)} rounds{rate}."


def _recorded(workspace: Workspace, point: Point, occasion: str) -> Baseline:
    validation, experiment = workload_of(workspace, point)
    with closing(experiment):
        known = [arm.id for arm in experiment.arms]
        if validation.before not in known:
            raise UsageError(
                f"{point.id}: before: of its validation names {validation.before!r}, and its workload has "
                f"{', '.join(known)}"
            )
        return record_baseline(
            point,
            validation,
            experiment,
            workspace.ledger,
            workspace.clock.now,
            telling(),
            machine(),
            occasion=occasion,
            simulated=bool(workspace.clock.scale),
        )


def _fields(kept: Baseline, noise: tuple[str, ...]) -> dict[str, Any]:
    """The JSON, as documented in the reference."""
    return {
        "point": kept.point,
        "arm": kept.arm,
        "made_at": iso_date(kept.made_at),
        "p95_seconds": kept.p95_seconds,
        "rounds": len(kept.rounds),
        "planned_rounds": kept.planned,
        "round_seconds": kept.round_seconds,
        "rate_per_second": kept.rate_per_second,
        "sent": sum(each.sent for each in kept.rounds),
        "dropped": sum(each.dropped for each in kept.rounds),
        "seed": kept.seed,
        "versions": dict(kept.versions),
        "machine": dict(kept.machine),
        "warnings": list(noise),
    }
