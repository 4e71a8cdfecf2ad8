"""Managed editions of an option: money against operating.

A managed service costs more and needs less operating. What its hours saved are worth is the most it may cost more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from outgrow.decisions.criteria import weighted_mean
from outgrow.points.declaration import Cost, Costs, Criteria, Option, Variant
from outgrow.quantities import significant

HOURS_A_WEEK = 40.0
"""A person's week; an hour of work costs a week's price over this."""


@dataclass(frozen=True, slots=True)
class Edition:
    """One way to buy or run an option; what is unknown is None, never zero.

    Attributes:
        id: of the variant, of the option for running it oneself. itself: whether it is the option itself.
        bill: money a month at the asked users. known_bill: the part of it that is known.
        operating_hours: a month. operating_cost: their price. total: bill and operating.
        score: weighted mean of 1–5.
    """

    id: str
    title: str
    itself: bool
    bill: float | None
    known_bill: float | None
    operating_hours: float | None
    operating_cost: float | None
    total: float | None
    score: float | None


@dataclass(frozen=True, slots=True)
class BreakEven:
    """A variant against running the option oneself, a month.

    ``hours_saved`` may be negative; ``may_cost_more`` is what these hours are worth, ``costs_more`` what the variant's
    bill adds. ``cheaper``: whether the variant is, None where it is not known; ``missing`` says what would be needed.
    """

    variant: str
    hours_saved: float | None
    may_cost_more: float | None
    costs_more: float | None
    cheaper: bool | None
    missing: tuple[str, ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class VariantsWeighed:
    """The editions of an option, the option itself first.

    Attributes:
        users: the bills are at. editions, break_evens: one break-even for each variant.
        cheapest: where the totals of all are known and one is lowest. best_scored: the same for scores.
    """

    option: str
    users: float
    currency: str
    editions: tuple[Edition, ...]
    break_evens: tuple[BreakEven, ...]
    cheapest: str | None
    best_scored: str | None


def weigh_variants(option: Option, criteria: Criteria, costs: Costs, users: float) -> VariantsWeighed:
    """The option itself beside its variants, with their bills at ``users``."""
    hour = None if costs.person_week == "unknown" else float(costs.person_week) / HOURS_A_WEEK
    itself = _edition(option, criteria, users, hour, itself=True)
    others = tuple(_edition(variant, criteria, users, hour, itself=False) for variant in option.variants)
    editions = (itself, *others)
    return VariantsWeighed(
        option=option.id,
        users=users,
        currency=costs.currency,
        editions=editions,
        break_evens=tuple(_break_even(itself, other, hour, costs.currency) for other in others),
        cheapest=_only_lowest([(each.id, each.total) for each in editions]),
        best_scored=_only_lowest([(each.id, None if each.score is None else -each.score) for each in editions]),
    )


def _edition(way: Option | Variant, criteria: Criteria, users: float, hour: float | None, *, itself: bool) -> Edition:
    bill, known = _bill(way.monthly_cost, users)
    hours = None if way.operating_hours == "unknown" else float(way.operating_hours)
    operating = _times(hours, hour)
    return Edition(
        id=way.id,
        title=way.title or way.id,
        itself=itself,
        bill=bill,
        known_bill=known,
        operating_hours=hours,
        operating_cost=operating,
        total=None if bill is None or operating is None else bill + operating,
        score=None if way.scores is None else weighted_mean(way.scores, criteria),
    )


def _bill(cost: Cost | str, users: float) -> tuple[float | None, float | None]:
    """The bill at ``users``, and its known part; None where unknown."""
    if isinstance(cost, str):
        return None, None
    parts = [
        None if cost.fixed == "unknown" else float(cost.fixed),
        None if cost.per_user == "unknown" else float(cost.per_user) * users,
    ]
    known = [part for part in parts if part is not None]
    return (sum(known) if len(known) == len(parts) else None), (sum(known) if known else None)


def _times(hours: float | None, hour: float | None) -> float | None:
    """Hours at their price; no hours cost nothing, whatever the price."""
    if hours is None or (hour is None and hours != 0):
        return None
    return hours * (hour or 0.0)


def _break_even(itself: Edition, variant: Edition, hour: float | None, currency: str) -> BreakEven:
    saved = None
    if itself.operating_hours is not None and variant.operating_hours is not None:
        saved = itself.operating_hours - variant.operating_hours
    worth = None if saved is None else _times(saved, hour)
    more = None if itself.bill is None or variant.bill is None else variant.bill - itself.bill
    cheaper = None if worth is None or more is None or more == worth else more < worth
    missing = tuple(_missing(itself, variant, saved, hour))
    return BreakEven(
        variant=variant.id,
        hours_saved=saved,
        may_cost_more=worth,
        costs_more=more,
        cheaper=cheaper,
        missing=missing,
        sentence=_sentence(variant.title, saved, worth, more, missing, currency),
    )


def _missing(itself: Edition, variant: Edition, saved: float | None, hour: float | None) -> Iterator[str]:
    for each in (itself, variant):
        if each.operating_hours is None:
            yield f"operating_hours of {each.id}"
    if hour is None and saved != 0:
        yield "costs: person_week"
    for each in (itself, variant):
        if each.bill is None:
            yield f"monthly_cost of {each.id}"


def _sentence(
    title: str, saved: float | None, worth: float | None, more: float | None, missing: tuple[str, ...], currency: str
) -> str:
    if saved is None:
        return f"{title}: what it saves in operating is unknown ({', '.join(missing)})."
    hours = f"{significant(abs(saved))} hours of operating a month"
    lead = f"{title} {'saves' if saved >= 0 else 'takes'} {hours}{'' if saved >= 0 else ' more'}"
    if worth is None:
        return f"{lead}; what that is worth is unknown ({', '.join(missing)})."
    if worth < 0:
        bound = f"must cost {_money(-worth, currency)} a month less to be even"
    else:
        bound = f"may cost {_money(worth, currency)} a month more"
    if more is None:
        return f"{lead}, so it {bound}; whether it does is unknown ({', '.join(missing)})."
    does = f"{_money(abs(more), currency)} {'more' if more >= 0 else 'less'}"
    end = "that is even" if more == worth else "it pays" if more < worth else "it does not pay"
    return f"{lead}, so it {bound}; it costs {does}: {end}."


def _money(amount: float, currency: str) -> str:
    return f"{amount:,.0f} {currency}"


def _only_lowest(values: list[tuple[str, float | None]]) -> str | None:
    """Which is lowest, where all are known and no two are."""
    known = sorted((value, name) for name, value in values if value is not None)
    if len(known) < len(values) or (len(known) > 1 and known[0][0] == known[1][0]):
        return None
    return known[0][1]
