"""What ``outgrow plan`` says, in words: the headline, chances, dates, money, and how it was reckoned."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from outgrow.quantities import Interval, significant
from outgrow.reports.pace_words import growth_text, joined, number_word, people_text, users_text
from outgrow.schedule.records import Candidate, CostPath, Plan, PlannedRewrite, Prototype, Relaxed, Wall

HeadlineCode = Literal["carried", "not-carried", "late", "nobody-free", "nothing-ahead"]
Dates = tuple[date | None, date | None, date | None]

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_BRACKETS = re.compile(r" \([^()]*\)")
_NEEDED = {1.0: "surely needed"}
_Z80 = 1.2816
"""Standard normal quantile: 80 % of draws lie within it on both sides (the interval of Agresti and Coull, 1998)."""


@dataclass(frozen=True, slots=True)
class Headline:
    """The answer: a stable ``code`` for programs, a short ``headline``, and the sentence that follows it."""

    code: HeadlineCode
    headline: str
    sentence: str


def headline(plan: Plan) -> Headline:
    """Whether it can be carried; if not, the cheapest single thing that would be enough."""
    if not plan.rewrites and plan.feasible:
        return Headline("nothing-ahead", "Nothing has to be planned", _nothing(plan))
    if not plan.rewrites:
        sentence = f"with {people_text(plan.people)} nobody is free for a rewrite. {_way_out(plan)}"
        return Headline("nobody-free", "This cannot be carried", sentence.strip())
    chance, wanted = chance_text(plan.in_time_ratio), chance_text(plan.wanted_ratio)
    if plan.feasible:
        sentence = f"{chance} chance that every rewrite that is needed is finished in time ({wanted} wanted)."
        return Headline("carried", f"{_carriers(plan.people)} can carry this", sentence)
    if plan.in_time_ratio >= plan.wanted_ratio:
        late = [label(one.candidate) for one in plan.rewrites if one.candidate.past]
        verb = "is past its wall" if len(late) == 1 else "are past their walls"
        rest = f" {chance} chance that all others are finished in time." if len(late) < len(plan.rewrites) else ""
        return Headline("late", "This is late already", f"{joined(late)} {verb}: begin now, or tune.{rest}")
    sentence = f"{chance} chance that every rewrite that is needed is finished in time, {wanted} wanted."
    worst = weakest(plan)
    if worst is not None and worst.in_time_ratio is not None:
        sentence += f" {label(worst.candidate)} is the tightest: {chance_text(worst.in_time_ratio)}."
    rest = " ".join(part for part in (sentence, _past(plan), _way_out(plan)) if part)
    return Headline("not-carried", "This cannot be carried", rest)


def weakest(plan: Plan) -> PlannedRewrite | None:
    """The rewrite least likely to be in time; None where none is judged, or only one is planned."""
    judged = [one for one in plan.rewrites if one.in_time_ratio is not None]
    return min(judged, key=lambda one: one.in_time_ratio or 0.0) if len(judged) > 1 else None


def asked_text(plan: Plan) -> str:
    """What was asked, in one line: ``1,000 users, growing 15 % a month (12.1–17.4 %, measured) · two people · …``."""
    starts = {"early": "starts as early as the rules allow", "at-milestone": "starts at the milestones"}
    parts = [f"{plan.users_now:,.0f} users, {_growing(plan)}", people_text(plan.people), starts[plan.start_rule]]
    return " · ".join(parts)


def rehearsal_text(plan: Plan) -> str:
    """That time runs faster, or history is simulated; empty for what is real."""
    parts = [f"time scale {plan.time_scale}: this is a rehearsal"] if plan.time_scale else []
    return " · ".join([*parts, "made with simulated history"] if plan.simulated else parts)


def reckoned_text(plan: Plan) -> str:
    """How it was reckoned: scenarios, seed, and how good the plan is known to be."""
    if plan.solution is None:
        return f"{plan.scenarios:,} scenarios; there was nothing to arrange"
    solution, count = plan.solution, plan.scenarios
    share = (plan.in_time_ratio * count + _Z80**2 / 2) / (count + _Z80**2)
    error = 100 * _Z80 * math.sqrt(share * (1 - share) / (count + _Z80**2))
    drawn = f"{count:,} scenarios, seed {solution.seed}: chances ± {significant(error, 1)} points"
    if solution.status == "optimal":
        return f"{drawn}; proven: no order and no starts do better in them"
    limit = f"the search ended at its limit of {significant(solution.effort_limit)} units of work"
    gaps = []
    if solution.best_ratio > solution.in_time_ratio:
        gaps.append(f"no plan reaches more than {math.ceil(100 * solution.best_ratio - 1e-9)} % in them")
    if solution.expected_cost > solution.least_cost:
        off = (solution.expected_cost - solution.least_cost) / solution.expected_cost
        gaps.append(f"at most {max(1, math.ceil(100 * off))} % of its cost could be saved")
    return f"{drawn}; {limit}; {', and '.join(gaps) if gaps else 'not proven to be the best'}"


def give_text(give: Relaxed, currency: str) -> str:
    """What gives, as a person reads it, with what it costs where that is known."""
    words = clean(give.change)
    if give.cost is not None:
        words += f" (expected cost {money_text(give.cost, currency)})"
    return words


def brief_text(give: Relaxed) -> str:
    """What gives, without what stands in brackets."""
    return clean(_BRACKETS.sub("", give.change))


def useless_text(plan: Plan) -> str:
    """What buys nothing when it alone gives, in one sentence; empty when everything helps."""
    names = [brief_text(give) for give in plan.gives if not buys(give, plan)]
    return f"Alone, none of these buys anything: {'; '.join(names)}." if names else ""


def buys(give: Relaxed, plan: Plan) -> bool:
    """Whether it makes the chance visibly better, or is enough."""
    return give.enough or chance_text(give.in_time_ratio) != chance_text(plan.in_time_ratio)


def label(candidate: Candidate) -> str:
    """``4A Multi-region``: the point's number, the option and its title; ``4 Tune what is there`` for longer ids."""
    option, title = clean(candidate.option), clean(candidate.option_title) or clean(candidate.option)
    if len(option) > 2:
        return f"{candidate.number} {title}"
    return f"{candidate.number}{option}" if title == option else f"{candidate.number}{option} {title}"


def last_start_text(plan: Plan) -> str:
    """What the last day of a start window stands for."""
    if plan.in_time_ratio < plan.wanted_ratio:
        return "the last that keeps this chance"
    return f"the last that leaves {chance_text(plan.wanted_ratio)}"


def needed_text(candidate: Candidate) -> str:
    """``surely needed``, or how likely it is needed at all; never needed is a valid end."""
    return _NEEDED.get(candidate.needed_ratio, f"needed: {chance_text(candidate.needed_ratio)}")


def wall_text(wall: Wall) -> str:
    """``2,000 users, declared``; ``8,800 (7,600–9,900) users, measured``."""
    users = wall.users
    if wall.source == "declared":
        return f"{users_text(users.mid)} users, declared"
    if not math.isfinite(users.mid):
        return f"{users_text(users.low)} users or more, measured"
    high = users_text(users.high) if math.isfinite(users.high) else "∞"
    return f"{users_text(users.mid)} ({users_text(users.low)}–{high}) users, measured"


def facts_text(rewrite: PlannedRewrite) -> str:
    """What a rewrite is planned against: ``the wall is at 2,000 users, declared · decide by 3 Mar 2026``."""
    parts = [f"the wall is at {wall_text(rewrite.candidate.wall)}"]
    if rewrite.candidate.decided is not None:
        parts.append(f"decided in record {rewrite.candidate.decided}")
    elif rewrite.decide_by is not None:
        parts.append(f"decide by {day_text(rewrite.decide_by)}")
    return " · ".join(parts)


def restless_text(rewrite: PlannedRewrite) -> str:
    """Why the prototype's window is not calm; empty where it is, or where there is none."""
    prototype = rewrite.prototype
    if prototype is None or prototype.calm:
        return ""
    return f"the prototype's window is not calm{f': {clean(prototype.why)}' if prototype.why else ''}"


def chance_text(ratio: float) -> str:
    """A chance as a whole percentage, rounded down so that it never looks better than it is: ``87 %``, ``> 99 %``."""
    if ratio >= 0.995:
        return "> 99 %"
    if 0 < ratio < 0.01:
        return "< 1 %"
    return f"{math.floor(100 * ratio + 1e-9)} %"


def day_text(day: date | None) -> str:
    """``9 Mar 2027``; ``later`` for a date beyond what is looked at."""
    return "later" if day is None else f"{day.day} {day:%b %Y}"


def span_text(first: date, last: date) -> str:
    """``5–12 Feb 2026``, ``28 Jan – 4 Feb 2026``, with both years where they differ."""
    if first >= last:
        return day_text(first)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{day_text(last)}"
    return f"{first.day} {first:%b}{'' if first.year == last.year else f' {first.year}'} – {day_text(last)}"


def money_text(amount: float | None, currency: str) -> str:
    """``6,000 USD``; ``unknown`` where nobody knows."""
    return "unknown" if amount is None else f"{amount:,.0f} {clean(currency)}"


def interval_text(interval: Interval, unit: str) -> str:
    """``12 weeks (6.1–27)``: the middle and the 80 % interval."""
    low, mid, high = (significant(value, 2) for value in (interval.low, interval.mid, interval.high))
    return f"{mid} {unit}" if low == high else f"{mid} {unit} ({low}–{high})"


def cost_text(cost: CostPath) -> str:
    """The cost path in one line: from today's bill to the last one, and the work."""
    work = f"{interval_text(cost.development_weeks, 'person-weeks')} of work"
    if cost.development is not None:
        work += f", {interval_text(cost.development, clean(cost.currency))}"
    if not cost.path:
        return work
    first, *between, last = [point.monthly for point in cost.path] * (2 if len(cost.path) == 1 else 1)
    gaps = ", unknown in between" if None in between else ""
    bills = f"{money_text(first, cost.currency)} a month now, {money_text(last, cost.currency)} at the end{gaps}"
    return f"{bills}; {work}"


def development_text(cost: CostPath) -> str:
    """The work of all rewrites, in person-weeks and in money."""
    weeks = interval_text(cost.development_weeks, "person-weeks")
    money = "in money unknown" if cost.development is None else interval_text(cost.development, clean(cost.currency))
    return f"{weeks}, {money}"


def runway_text(cost: CostPath) -> str:
    """How long the cash lasts, without and with the plan."""
    runway = cost.runway
    if runway.months_with is None and runway.months_without is None:
        return f"unknown: {clean(runway.why)}" if runway.why else "the cash is never gone within what is looked at"
    ends = [_months(runway.months_with), _months(runway.months_without)]
    return f"{ends[0]} with this plan, {ends[1]} without it" + (f"; {clean(runway.why)}" if runway.why else "")


def prototype_text(prototype: Prototype) -> str:
    """The days of a prototype, both included: ``5–11 Feb 2026``."""
    return span_text(prototype.start, prototype.finish - timedelta(days=1))


def clean(text: str) -> str:
    """Others' words on one line, without what would steer a terminal or turn the direction of reading."""
    return _CONTROLS.sub("\ufffd", " ".join(text.split()))


def names_text(points: Sequence[str]) -> str:
    """``a, b and c``, each made safe to show."""
    return joined([clean(point) for point in points])


def _months(months: float | None) -> str:
    return "never gone" if months is None else f"{significant(months)} months"


def _growing(plan: Plan) -> str:
    growth = plan.growth_per_month
    if plan.growth_source == "given":
        return f"growing {growth_text(growth.mid)} a month (given)"
    low, mid, high = (f"{round(100 * value, 1):g}" for value in (growth.low, growth.mid, growth.high))
    between = f"{low} to {high}" if growth.low < 0 else f"{low}–{high}"
    return f"growing {mid} % a month ({between} %, measured)"


def _carriers(people: int) -> str:
    if people == 1:
        return "One person"
    return "Both people" if people == 2 else f"All {number_word(people)}"


def _nothing(plan: Plan) -> str:
    left = f": {names_text([point for point, _ in plan.not_planned])}" if plan.not_planned else ""
    return f"no rewrite needs a place within what is looked at{left}."


def _past(plan: Plan) -> str:
    """Rewrites whose wall lies behind: planned, but no longer a question of chance."""
    names = [label(one.candidate) for one in plan.rewrites if one.candidate.past]
    if not names:
        return ""
    return f"{joined(names)} {'is' if len(names) == 1 else 'are'} due already, and not part of that chance."


def _way_out(plan: Plan) -> str:
    """The cheapest single thing that is enough, or the one that buys most."""
    enough = next((give for give in plan.gives if give.enough), None)
    if enough is not None:
        return f"The cheapest that is enough: {brief_text(enough)} (then {chance_text(enough.in_time_ratio)})."
    best = max(plan.gives, key=lambda give: give.in_time_ratio, default=None)
    if best is None or best.in_time_ratio <= plan.in_time_ratio:
        return "No single thing that was tried buys anything." if plan.gives else ""
    return f"No single thing is enough; most buys: {brief_text(best)} (then {chance_text(best.in_time_ratio)})."
