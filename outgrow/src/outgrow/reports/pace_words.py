"""What ``outgrow pace`` says, in words: the verdict, the things that give, and how its numbers are read aloud."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from outgrow.quantities import MONTH, WEEKS_PER_MONTH, Interval
from outgrow.schedule.inputs import TeamRules
from outgrow.schedule.limit import State
from outgrow.schedule.pace import OptionPace, Pace, PointPace, Rewrite
from outgrow.schedule.what_gives import Give, what_gives

VerdictCode = Literal["carried", "carried-early", "at-best", "not-carried", "nobody-free", "never-reached"]

_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_ORDINALS = {2: "second", 3: "third", 4: "fourth", 5: "fifth", 6: "sixth"}
_LIKELIHOODS = {"only-if": "only if it comes to that"}
_FRACTIONS = {0.25: "¼", 0.5: "½", 0.75: "¾"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer: a stable ``code`` for programs, a short ``headline`` and one or two sentences for people."""

    code: VerdictCode
    headline: str
    sentence: str


@dataclass(frozen=True, slots=True)
class GiveWords:
    """A relaxation as a person reads it: what changes, and what that costs."""

    change: str
    cost: str


def verdict(pace: Pace, today: date) -> Verdict:
    """Whether the team can carry it, and if not, what is the cheapest thing that gives."""
    code, headline, sentence = _verdict(pace, today)
    if pace.past:
        past = [point for point in pace.points if point.past]
        names = joined(
            [f"{point.point.title} was due before {point.point.complete_before:,.0f} users" for point in past]
        )
        pins = " ".join(f"--option {name}=done" for name in pace.past)
        it = "it must be done now, or if it is done, say" if len(past) == 1 else "do them now, or for what is done, say"
        sentence = f"{names}: {it} {pins}. {sentence}"
        count = number_word(len(past)).capitalize()
        headline = f"{count} {'limit is' if len(past) == 1 else 'limits are'} already past"
    return Verdict(code, headline, sentence)


def gives_shown(pace: Pace) -> tuple[tuple[Give, ...], str]:
    """The relaxations worth showing, and which plan they relax: the early plan if that fails, else the other."""
    if not pace.ever_reached:
        return (), ""
    early = what_gives(pace, "early")
    if early:
        return early, "even when everything starts as early as the team rules allow"
    return what_gives(pace, "at-milestone"), "when every rewrite waits for its milestone"


def give_words(give: Give, pace: Pace) -> GiveWords:
    """One relaxation in words."""
    rules = pace.rules
    match give.relaxation:
        case "start-earlier":
            return GiveWords("Start earlier than the milestones say", _earlier_starts(pace))
        case "tune":
            point, option = _option(pace, give)
            effort = weeks_text(option.weeks)
            return GiveWords(
                f"Tune instead of {label(point, _chosen(point))}",
                f"{effort} weeks, if a measurement shows it is enough",
            )
        case "cheaper-option":
            point, option = _option(pace, give)
            return GiveWords(
                f"{label(point, option)} instead of {label(point, _chosen(point))}",
                f"{weeks_text(option.weeks)} weeks now, and a lower ceiling later",
            )
        case "one-more-person":
            people = rules.people + 1
            return GiveWords(
                f"A {_ORDINALS.get(people, f'{people}th')} person",
                "a salary; shortens no rewrite, and the months between hold for the whole team",
            )
        case "slower-growth":
            return GiveWords(f"Grow by {percent(give.limit.low)} a month at most", _slower(pace, give.limit.low))
        case "team-rule":
            return _rule_words(give, pace)


def label(point: PointPace, option: OptionPace) -> str:
    """``4A Multi-region``: the point's number, the option and its title; ``4 Tune what is there`` for longer ids."""
    return _label(point.number, option.option.option, option.option.title)


def rewrite_label(rewrite: Rewrite, pace: Pace) -> str:
    """The same for a planned rewrite."""
    number = next(point.number for point in pace.points if point.point.id == rewrite.step.point.id)
    return _label(number, rewrite.step.option.option, rewrite.step.option.title)


def percent(ratio: float) -> str:
    """A growth limit, rounded down so that what is written can be carried: ``9.2 %``, ``19.8 %``, ``> 100 %``."""
    if ratio > 1:
        return "> 100 %"
    return f"{_floored(ratio).removesuffix('.0')} %"


def limit_text(limit: Interval) -> str:
    """A growth limit with its doubt: ``9.2–12.4 %``; ``> 100 %`` where it hardly matters."""
    if limit.low > 1:
        return "> 100 %"
    low, high = _floored(limit.low), _floored(limit.high)
    if limit.high > 1:
        return f"{low}–100+ %"
    return f"{low} %" if low == high else f"{low}–{high} %"


def growth_text(growth: float) -> str:
    """The growth asked about: ``15 %``, ``12.5 %``."""
    return f"{round(growth * 100, 3):g} %"


def weeks_text(weeks: Interval) -> str:
    """``7.5–10``, ``½–1``."""
    low, high = (_week(value) for value in (weeks.low, weeks.high))
    return low if low == high else f"{low}–{high}"


def users_text(users: float) -> str:
    """Users, rounded down to three digits as a latest start should be: 31,548 → ``31,500``."""
    if not math.isfinite(users):
        return "∞"
    if users < 1000:
        return f"{math.floor(users + 1e-6)}"
    step = 10 ** (math.floor(math.log10(users) + 1e-12) - 2)
    return f"{math.floor(users / step + 1e-6) * step:,.0f}"


def span_text(months: float) -> str:
    """A length of time: ``3 weeks``, ``4.3 months``, ``2.4 years``."""
    if months * WEEKS_PER_MONTH < 1.5:
        days = max(1, round(months * MONTH / 86400))
        return f"{days} day{'s' if days > 1 else ''}"
    if months < 2:
        return f"{months * WEEKS_PER_MONTH:.0f} weeks"
    if months < 24:
        return f"{months:.1f}".removesuffix(".0") + " months"
    years = months / 12
    return f"{years:.1f}".removesuffix(".0") + " years" if years < 20 else f"{years:,.0f} years"


def month_text(today: date, months: float) -> str:
    """The calendar month that far from today: ``Mar 2027``; ``never``, or the years beyond a century."""
    if not math.isfinite(months):
        return "never"
    if months > 1200:
        return f"in {span_text(months)}"
    return f"{today + timedelta(seconds=months * MONTH):%b %Y}"


def due_text(point: PointPace, today: date, *, short: bool = False) -> str:
    """By when a point must be through: ``inevitable, due before 2,000 users in 5 months (Apr 2027)``."""
    users = f"{_LIKELIHOODS.get(point.point.likelihood, point.point.likelihood)}, due before "
    users += f"{point.point.complete_before:,.0f} users"
    if point.past:
        return f"{users}: already past"
    if not math.isfinite(point.due_months):
        return f"{users}: never reached"
    when = month_text(today, point.due_months)
    return f"{users}, {when}" if short else f"{users} in {span_text(point.due_months)}, {when}"


def start_text(option: OptionPace, point: PointPace, today: date, *, short: bool = False) -> str:
    """The last moment to start: ``Mar 2027, at 1,810 users``; how late it would be; empty when nothing is laid out."""
    window = option.window
    if window is None:
        return ""
    if point.past:
        return "now: already past"
    if option.early_state == "no":
        return f"{span_text(window.finish_months.high - point.due_months)} too late"
    if window.latest_users < 1.005 * window.earliest_users and window.earliest_months == 0:
        return "now" if short else f"now, at {users_text(window.latest_users)} users"
    when, users = month_text(today, window.latest_months), users_text(window.latest_users)
    return f"{when} ({users})" if short else f"{when}, at {users} users"


def team_text(rules: TeamRules) -> str:
    """The team's rules in one line."""
    at_once = {0: "nobody free for a rewrite", 1: "one rewrite at a time"}
    parts = [at_once.get(rules.hands, f"{number_word(rules.hands)} rewrites at a time")]
    if rules.months_between:
        parts.append(f"{rules.months_between:g} months from one major start to the next")
    if rules.always_operational:
        parts.append(f"{people_text(rules.always_operational)} always operational")
    if rules.learning_buffer:
        parts.append(f"+{rules.learning_buffer * 100:g} % where it is new")
    return " · ".join(parts)


def useless_text(gives: Sequence[Give], pace: Pace) -> str:
    """What buys nothing when it alone gives, in one sentence; empty when everything helps. Tuning is left unsaid."""
    names = [give_words(give, pace).change for give in gives if not give.helps and give.relaxation != "tune"]
    if not names:
        return ""
    return f"Alone, none of these buys anything: {'; '.join(f'{name[0].lower()}{name[1:]}' for name in names)}."


def people_text(count: int) -> str:
    """``two people``, ``one person``."""
    return f"{number_word(count)} {'person' if count == 1 else 'people'}"


def number_word(count: int) -> str:
    """``four``; digits beyond ten."""
    return _WORDS[count] if 0 <= count < len(_WORDS) else str(count)


def mark(state: State) -> str:
    """One character for a state, readable without colour."""
    return {"yes": "✓", "at-best": "~", "no": "✗", "past": "!"}[state]


def joined(parts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _verdict(pace: Pace, today: date) -> tuple[VerdictCode, str, str]:
    growth, early, late = growth_text(pace.growth_per_month), pace.early, pace.at_milestone
    who = people_text(pace.rules.people)
    count = len(pace.points) - len(pace.past)
    what = {0: "the rewrites", 1: "the rewrite ahead", 2: "both rewrites ahead"}.get(
        count, f"all {number_word(count)} rewrites ahead"
    )
    if not pace.ever_reached:
        now = users_text(pace.users)
        return (
            "never-reached",
            "Nothing ahead is ever reached",
            f"With growth of {growth} a month, users never rise above the {now} of today, so no limit ahead is ever "
            "reached and nothing has to start.",
        )
    if count == 0 and pace.rules.hands:
        return "carried", "Nothing lies ahead", "No limit lies ahead of today's users."
    if pace.rules.hands == 0:
        return "nobody-free", f"No: with {who}, nobody is free", _nobody_free(pace)
    limits = (
        f"The limit is {percent(late.limit.low)} a month when each starts at its milestone, {percent(early.limit.low)} "
        "when all start as early as the team rules allow."
    )
    if early.state == "yes" and late.state == "yes":
        sentence = f"At {growth} a month {who} can carry {what}, even when each waits for its milestone. {limits}"
        return "carried", f"Yes: {who} can carry it", sentence
    if early.state == "yes":
        starts = joined([f"{name} by {month_text(today, months)}" for name, months in _latest_starts(pace)])
        sentence = (
            f"At {growth} a month {who} can carry {what} if they start {starts}. "
            f"If each waits for its milestone, {_lateness(late.rewrites, pace)}. {limits}"
        )
        return "carried-early", "Yes, but only if you start early", sentence
    cheapest = next((give for give in what_gives(pace, "early") if give.state == "yes"), None)
    way_out = "" if cheapest is None else f" The cheapest that gives: {_brief(cheapest, pace)}."
    if early.state == "at-best":
        sentence = (
            f"At {growth} a month {who} can carry {what} only if every rewrite takes no longer than its low estimate "
            f"and starts as early as the team rules allow. {limits}{way_out}"
        )
        return "at-best", "Only if everything goes well", sentence
    sentence = (
        f"At {growth} a month {who} cannot carry {what}, however early they start: "
        f"{_lateness(early.rewrites, pace)}. {limits}{way_out}"
    )
    return "not-carried", "No: not at this growth", sentence


def _brief(give: Give, pace: Pace) -> str:
    change = give_words(give, pace).change
    change = f"{change[0].lower()}{change[1:]}"
    if give.relaxation == "slower-growth":
        return change
    proven = ", if that proves enough" if give.relaxation == "tune" else ""
    return f"{change}{proven} (then up to {percent(give.limit.low)} a month)"


def _nobody_free(pace: Pace) -> str:
    rules = pace.rules
    stays = f"{people_text(rules.always_operational)} always {'stays' if rules.always_operational == 1 else 'stay'}"
    sentence = f"{stays[0].upper()}{stays[1:]} operational, so with {people_text(rules.people)} nobody is free for a "
    sentence += "rewrite, and none can be carried at any growth."
    more = next((give for give in what_gives(pace, "early") if give.relaxation == "one-more-person"), None)
    if more is None or not more.helps:
        return sentence
    person = give_words(more, pace).change
    return f"{sentence} {person} makes up to {percent(more.limit.low)} a month possible."


def _lateness(rewrites: Sequence[Rewrite], pace: Pace) -> str:
    late = [rewrite for rewrite in rewrites if rewrite.late_months > 0 and rewrite.step.point.id not in pace.past]
    parts = []
    for rewrite in late:
        due = users_text(rewrite.step.point.complete_before)
        parts.append(f"{rewrite_label(rewrite, pace)} would end {span_text(rewrite.late_months)} after {due} users")
    return joined(parts) if parts else "the last one would end a moment too late"


def _latest_starts(pace: Pace) -> list[tuple[str, float]]:
    chosen = [(point, _chosen(point)) for point in pace.points if not point.past]
    return [(_short(point), option.window.latest_months) for point, option in chosen if option.window]


def _earlier_starts(pace: Pace) -> str:
    parts = []
    for point in pace.points:
        window = _chosen(point).window
        if window and not point.past and window.latest_users < point.point.milestone and pace.early.state == "yes":
            then, now = users_text(window.latest_users), users_text(point.point.milestone)
            parts.append(f"{_short(point)} by {then} users, not {now}")
    return "; ".join(parts) if parts else "everything as early as the team rules allow"


def _slower(pace: Pace, limit: float) -> str:
    last = pace.points[-1].point.complete_before
    if last <= pace.users or pace.growth_per_month <= limit:
        return "the business"
    doublings = math.log(last / pace.users)
    delay = doublings / math.log1p(limit) - doublings / math.log1p(pace.growth_per_month)
    return f"{users_text(last)} users come {span_text(delay)} later"


def _rule_words(give: Give, pace: Pace) -> GiveWords:
    rules, value = pace.rules, give.value or 0.0
    match give.rule:
        case "months_between" if value:
            return GiveWords(
                f"A major rewrite every {value:g} months, not every {rules.months_between:g}",
                "strain, and less time to see what the last one changed",
            )
        case "months_between":
            return GiveWords(
                "Major rewrites back to back, no months between", "much strain, no time to see what changed"
            )
        case "learning_buffer":
            return GiveWords("Nothing is new to the team when it starts", "learning and prototypes beforehand")
        case "simultaneous":
            return GiveWords(f"{number_word(int(value)).capitalize()} rewrites at once", "attention divided")
        case _:
            stay = people_text(int(value)) if value else "nobody"
            verb = "stay" if value > 1 else "stays"
            return GiveWords(f"{stay.capitalize()} {verb} operational", "incidents wait for the rewrite")


def _option(pace: Pace, give: Give) -> tuple[PointPace, OptionPace]:
    point = next(point for point in pace.points if point.point.id == give.point)
    return point, next(option for option in point.options if option.option.option == give.option)


def _chosen(point: PointPace) -> OptionPace:
    return next(option for option in point.options if option.chosen)


def _short(point: PointPace) -> str:
    option = _chosen(point).option.option
    return f"{point.number}{option}" if len(option) <= 2 else f"{point.number} {option}"


def _label(number: int, option: str, title: str) -> str:
    if len(option) > 2:
        return f"{number} {title}"
    return f"{number}{option}" if title == option else f"{number}{option} {title}"


def _floored(ratio: float) -> str:
    return f"{math.floor(ratio * 1000 + 1e-9) / 10:.1f}"


def _week(weeks: float) -> str:
    whole, rest = divmod(weeks, 1)
    if rest in _FRACTIONS:
        return f"{int(whole) or ''}{_FRACTIONS[rest]}"
    return f"{weeks:.1f}".removesuffix(".0")
