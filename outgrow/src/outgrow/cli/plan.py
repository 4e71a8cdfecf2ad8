"""``outgrow plan``: when each rewrite is done, by whom, how sure that is, what gives if it cannot be, and its bill."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outgrow.cli.looking import look_from
from outgrow.cli.options import DEFAULT_CONFIG, AsOfOption, ConfigOption, JsonOption, NoInputOption, PlainOption
from outgrow.cli.output import emit_json, emit_line, err, hint, out
from outgrow.cli.what_if import read_growth, read_people, read_pins, read_users
from outgrow.decision_folder import decision_folder, read_heads
from outgrow.errors import UsageError
from outgrow.outlook.records import Refusal
from outgrow.points.declaration import Declaration
from outgrow.quantities import parse_quantity
from outgrow.reports.plan_compare import compare_fields, compare_lines, compare_table
from outgrow.reports.plan_cost import cost_lines, cost_table
from outgrow.reports.plan_json import plan_fields, refusal_fields
from outgrow.reports.plan_table import plan_lines, plan_table
from outgrow.schedule.inputs import inputs_of
from outgrow.schedule.records import Plan, StartRule
from outgrow.wiring import Workspace, open_workspace

if TYPE_CHECKING:  # the solver takes seconds to load; a wrong option is told before that
    from outgrow.planning import PlanRequest

FEWEST_SCENARIOS, MOST_SCENARIOS = 50, 20_000


@dataclass(frozen=True, slots=True)
class Decided:
    """What decision records say: the option of a point with the record's number, and the points that are done."""

    options: Mapping[str, tuple[int, str]]
    done: tuple[str, ...]


def plan(
    growth: Annotated[
        str | None, typer.Option("--growth", "-g", help="What if users grew so much a month, for example 15%.")
    ] = None,
    users: Annotated[int | None, typer.Option("--users", "-u", help="What if there were so many users today.")] = None,
    people: Annotated[int | None, typer.Option("--people", "-p", help="What if the team had so many people.")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", help="What if POINT=OPTION, or POINT=done. May be repeated."),
    ] = None,
    start: Annotated[
        StartRule | None, typer.Option("--start", help="As early as the team's rules allow, or at its milestone.")
    ] = None,
    sure: Annotated[str, typer.Option("--sure", help="The chance that is called feasible.")] = "80%",
    scenarios: Annotated[int, typer.Option("--scenarios", help="How many futures are drawn.")] = 500,
    seed: Annotated[int, typer.Option("--seed", help="Which futures; the same seed gives the same plan.")] = 0,
    cost: Annotated[bool, typer.Option("--cost", help="Show what the plan costs instead of its dates.")] = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="Show what the what-ifs change, against the plan without them.")
    ] = False,
    svg: Annotated[Path | None, typer.Option("--svg", help="Write the plan as a picture.")] = None,
    png: Annotated[Path | None, typer.Option("--png", help="Write it as PNG.")] = None,
    ics: Annotated[Path | None, typer.Option("--ics", help="Write it as a calendar; a later plan updates it.")] = None,
    cost_svg: Annotated[Path | None, typer.Option("--cost-svg", help="Write the bill as a picture.")] = None,
    cost_png: Annotated[Path | None, typer.Option("--cost-png", help="Write it as PNG.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Use what the ledger holds; ask no source.")] = False,
    as_of: AsOfOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
    plain: PlainOption = False,
    no_input: NoInputOption = False,
) -> None:
    """Say when each rewrite is done and by whom, with which chance, and what gives where it cannot be carried.

    Ends with 1 when it cannot be carried, with 3 when no plan can be made. A plan without what-ifs is kept.
    """
    files = {".svg": (svg, cost_svg), ".png": (png, cost_png), ".ics": (ics,)}
    for suffix, paths in files.items():
        _check_endings(suffix, paths)
    what_if = any(each is not None for each in (growth, users, people, start)) or bool(option)
    if compare and not what_if:
        raise UsageError("there is nothing to compare", next_step="outgrow plan --compare --growth 25%")
    wanted = _sure(sure)
    _check_draws(scenarios, seed)
    asked_growth = None if growth is None else read_growth(growth)
    asked_users = None if users is None else read_users(users)
    asked_people = None if people is None else read_people(people)
    with open_workspace(config) as workspace:
        declaration = workspace.declaration
        pins = read_pins(option or [], inputs_of(declaration)[0])
        decided = _decided(workspace)
        lookout = look_from(workspace, as_of=as_of, offline=offline)
        with _sign_of_life(f"looking at {scenarios:,} futures ..."):
            from outgrow.planning import PlanRequest, make_plan  # the solver: seconds, and only here

            done = dict.fromkeys(decided.done, "done")

            def made(request: PlanRequest) -> Plan | Refusal:
                return make_plan(
                    declaration,
                    lookout,
                    request,
                    now=lookout.now,
                    decided=decided.options,
                    time_scale=lookout.time_scale,
                )

            base = PlanRequest(options=done, wanted_ratio=wanted, scenarios=scenarios, seed=seed)
            asked = PlanRequest(
                growth_per_month=asked_growth,
                users=None if asked_users is None else float(asked_users),
                people=asked_people,
                options=done | pins,
                start_rule=start or "early",
                wanted_ratio=wanted,
                scenarios=scenarios,
                seed=seed,
            )
            answer = made(asked)
            without = made(base) if compare and not isinstance(answer, Refusal) else None
            kept = without if what_if else answer
            if isinstance(without, Refusal):  # nothing is measured: the same start, without the other what-ifs
                given = replace(base, growth_per_month=asked.growth_per_month, users=asked.users)
                without = made(given) if given != asked else without
        if isinstance(kept, Plan) and lookout.keep:
            workspace.ledger.add_record("plan", "", workspace.clock.now(), kept.digest, plan_fields(kept))
    if isinstance(answer, Refusal):
        raise _refused(answer, as_json)
    if isinstance(without, Refusal):
        err().print(f"nothing to compare with: {without.reason}", style="yellow", markup=False, soft_wrap=True)
        without = None
    _write_files(answer, declaration, svg, png, ics, cost_svg, cost_png)
    _show(answer, without, declaration, cost, as_json, plain)
    raise typer.Exit(0 if answer.feasible else 1)


def _show(answer: Plan, without: Plan | None, declaration: Declaration, cost: bool, as_json: bool, plain: bool) -> None:
    next_step = _next(answer)
    if as_json:
        compared = None if without is None else compare_fields(without, answer)
        emit_json({**plan_fields(answer), "reason": None, "next": next_step or None, "compare": compared})
        return
    if plain:
        compared_lines = compare_lines(without, answer) if without is not None else ()
        planned_lines = plan_lines(answer) if without is None and not cost else ()
        for line in (*compared_lines, *planned_lines, *(cost_lines(answer) if cost else ())):
            emit_line(line)
    else:
        console = out()
        if without is not None:
            console.print(compare_table(without, answer, console.width))
        if without is not None and cost:
            console.print()
        if cost:
            console.print(cost_table(answer, console.width))
        elif without is None:
            console.print(plan_table(answer, console.width, declaration.team.calendar))
    hint(next_step)


def _next(answer: Plan) -> str:
    """The next sensible command: to what gives, to the decision that is due first, or to the calendar."""
    if answer.gives or (not answer.rewrites and not answer.feasible):
        enough = next((give for give in answer.gives if give.enough), None)
        if enough is not None and enough.kind == "one-more-person":
            return f"outgrow plan --compare --people {answer.people + 1}"
        if enough is not None and enough.point is not None:
            return f"outgrow plan --compare --option {shlex.quote(f'{enough.point}={enough.option}')}"
        return "outgrow plan --cost"
    open_points = [one.candidate.point for one in answer.rewrites if one.candidate.decided is None]
    if open_points:
        return f"outgrow decide {shlex.quote(open_points[0])}"
    return "outgrow plan --ics plan.ics" if answer.rewrites else "outgrow status"


def _refused(refusal: Refusal, as_json: bool) -> typer.Exit:
    """Say why no plan can be made, and what would make it possible; ends with 3."""
    if as_json:
        emit_json(refusal_fields(refusal))
    err().print(f"no plan can be made: {refusal.reason}", markup=False, soft_wrap=True)
    hint(refusal.next_step)
    return typer.Exit(3)


def _decided(workspace: Workspace) -> Decided:
    """What accepted decision records chose; a record that names what is no longer declared is told and left out."""
    heads = read_heads(decision_folder(workspace.path, workspace.declaration.decisions)).heads
    options: dict[str, tuple[int, str]] = {}
    done: list[str] = []
    for head in sorted(heads, key=lambda one: one.number):
        point = workspace.declaration.point(head.point)
        if point is None or head.status not in ("accepted", "done") or head.superseded_by is not None:
            continue
        if head.status == "done":
            done.append(point.id)
        elif head.option in {each.id for each in point.options}:
            options[point.id] = (head.number, str(head.option))
        elif head.option is not None:
            err().print(
                f"{head.file} chose {head.option} at {point.id}, which is not declared any more; it is left out",
                style="yellow",
                markup=False,
                soft_wrap=True,
            )
    return Decided(options, tuple(done))


def _write_files(
    answer: Plan,
    declaration: Declaration,
    svg: Path | None,
    png: Path | None,
    ics: Path | None,
    cost_svg: Path | None,
    cost_png: Path | None,
) -> None:
    if svg or png or cost_svg or cost_png:
        from outgrow.cli.plan_pictures import draw_cost, draw_plan  # altair: half a second, only for a picture

        for draw, paths in ((draw_plan, (svg, png)), (draw_cost, (cost_svg, cost_png))):
            for path in paths:
                if path is not None:
                    draw(answer, declaration, path)
                    err().print(f"wrote {path}", markup=False)
    if ics is not None:
        from outgrow.reports.plan_calendar import plan_calendar

        _write(ics, plan_calendar(answer, declaration.name))
        err().print(f"wrote {ics}", markup=False)


def _write(path: Path, content: bytes) -> None:
    """The file is either whole or as it was."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise UsageError(f"{path} cannot be written: {error.strerror}", next_step="choose another folder") from None


def _check_endings(suffix: str, paths: tuple[Path | None, ...]) -> None:
    for path in paths:
        if path is not None and path.suffix.lower() != suffix:
            raise UsageError(f"{path} does not end in {suffix}")


def _check_draws(scenarios: int, seed: int) -> None:
    if not FEWEST_SCENARIOS <= scenarios <= MOST_SCENARIOS:
        raise UsageError(f"--scenarios {scenarios} cannot be: give {FEWEST_SCENARIOS} to {MOST_SCENARIOS:,}")
    if not 0 <= seed < 2**31:
        raise UsageError(f"--seed {seed} cannot be: give a whole number from 0 to {2**31 - 1}")


def _sure(text: str) -> float:
    """A chance as a ratio: 80% or 0.8."""
    try:
        ratio = parse_quantity(text, "ratio")
    except ValueError:
        ratio = 0.0
    if not 0 < ratio <= 1:
        raise UsageError(f"--sure {text} is not a chance; write for example --sure 80%")
    return ratio


@contextmanager
def _sign_of_life(words: str) -> Iterator[None]:
    """Something that moves while the solver loads and works; nothing where nobody looks on."""
    console = err()
    if not console.is_terminal:
        yield
        return
    with console.status(words):
        yield
