"""The options in words: what each takes, costs, opens and closes, and how they compare under the five criteria."""

from __future__ import annotations

from collections.abc import Iterator

from outgrow.decisions.criteria import criteria_shares
from outgrow.decisions.decision_record import DecisionRecord
from outgrow.decisions.markdown import bullets, clean, inline, paragraph, sentence, table
from outgrow.decisions.records import CRITERIA, Flip, Weighing
from outgrow.decisions.variants import VariantsWeighed, weigh_variants
from outgrow.points.declaration import Cost, Option
from outgrow.quantities import significant

UNKNOWN = "unknown"

_GOING_BACK = {"low": "Good", "medium": "Neutral"}
_SIDE = {5: "Good", 4: "Good", 3: "Neutral", 2: "Bad", 1: "Bad"}


def effort_text(option: Option, learning_buffer: float) -> str:
    """``7.5–10 weeks of one person, 25 % of learning included``."""
    learning = f", {significant(learning_buffer * 100)} % for learning included" if option.new_to_team else ""
    return f"{_weeks(option, learning_buffer)} of one person{learning if learning_buffer else ''}"


def _weeks(option: Option, learning_buffer: float) -> str:
    """``7.5–10 weeks``, learning included."""
    factor = 1 + learning_buffer if option.new_to_team else 1.0
    low, high = (significant(weeks * factor) for weeks in option.effort_weeks)
    span = low if low == high else f"{low}–{high}"
    return f"{span} week{'' if span == '1' else 's'}"


def bill_text(cost: Cost | str, currency: str) -> str:
    """``1,500 USD a month; what a user adds is unknown``; ``unknown`` where nothing is known."""
    if isinstance(cost, str) or cost.fixed == cost.per_user == UNKNOWN:
        return UNKNOWN
    fixed = "an unknown fixed part" if isinstance(cost.fixed, str) else f"{cost.fixed:,.0f} {currency}"
    if isinstance(cost.per_user, str):
        return f"{fixed} a month; what a user adds is unknown"
    return (
        f"{fixed} a month"
        if not cost.per_user
        else f"{fixed} and {significant(cost.per_user)} {currency} a user a month"
    )


def hours_text(hours: float | str) -> str:
    """``12 hours a month``."""
    return hours if isinstance(hours, str) else f"{significant(hours)} hours a month"


def percent(share: float, other: float | None = None) -> str:
    """A share as ``20 %``, with as many digits as tell it apart from ``other``."""
    for digits in (2, 3, 4):
        text = significant(share * 100, digits)
        if other is None or text != significant(other * 100, digits):
            break
    return f"{text} %"


def criterion_text(criterion: str) -> str:
    """``operational simplicity``."""
    return criterion.replace("_", " ")


def consequences(record: DecisionRecord) -> str:
    """What follows from the choice, as MADR lists it: good, neutral, bad."""
    option, point = record.chosen, record.point
    items = [f"Bad, because it takes {effort_text(option, record.learning_buffer)}.", _bill(record, option)]
    if option.operating_hours != UNKNOWN:
        items.append(f"Neutral, because keeping it running takes {hours_text(option.operating_hours)}.")
    if option.id == "tune":
        items.append("Good, because nothing has to be moved, and every larger way stays open.")
    else:
        if point.felt_by_users:
            items.append(f"Bad, because users notice the move: {inline(point.felt_by_users)}.")
        side = _GOING_BACK.get(point.rollback, "Bad")
        items.append(
            f"{side}, because going back is of {point.rollback.replace('-', ' ')} difficulty."
            if point.rollback != "nearly-impossible"
            else "Bad, because going back is nearly impossible."
        )
    items += _doors(record, option, say_none=option.id != "tune")
    return bullets(sorted(items, key=lambda item: ("Good", "Neut", "Bad,").index(item[:4])))


def pros_and_cons(record: DecisionRecord) -> Iterator[str]:
    """A section an option, *tune* first, after a table that shows them side by side."""
    yield _comparison(record)
    for option in record.options:
        yield f"### {inline(record.label(option.id))}"
        if option.what:
            yield paragraph(sentence(option.what))
        items = list(_doors(record, option, say_none=False))
        items += [
            f"Bad, because an earlier decision closed it: {inline(why)}"
            for closed, why in record.ruling.closed
            if closed == option.id
        ]
        items += [
            f"{_SIDE[score]}, because {criterion_text(name)} is scored {score} of 5."
            for name in CRITERIA
            if option.scores is not None and (score := getattr(option.scores, name)) != 3
        ]
        if option.scores is None:
            items.append("Neutral, because nobody has scored it.")
        if option.new_to_team:
            items.append("Bad, because it is new to the team.")
        yield bullets(sorted(items, key=lambda item: ("Good", "Neut", "Bad,").index(item[:4])))
        if option.variants:
            yield from _variants(record, option)


def weighing_text(record: DecisionRecord, weighing: Weighing) -> Iterator[str]:
    """Who wins under the five criteria, and how far a weight must move before another does."""
    yield paragraph(inline(weighing_scores(record, weighing)))
    if weighing.best is not None:
        rows = [_flip_row(record, flip) for flip in weighing.flips]
        yield table(("Criterion", "Weight", "Another wins from", "Then"), rows)
    yield bullets([inline(said) for said in weighing_sentences(record, weighing)])


def weighing_scores(record: DecisionRecord, weighing: Weighing) -> str:
    """``Weighted means of the scores (1–5): Partition (A) 3.8, Migrate (B) 3.2.``, as plain text."""
    scored = ", ".join(f"{clean(record.label(option))} {significant(score)}" for option, score in weighing.scores)
    return f"Weighted means of the scores (1–5): {scored or 'nobody has scored an option'}."


def weighing_sentences(record: DecisionRecord, weighing: Weighing) -> Iterator[str]:
    """The sensitivity of the choice, a sentence each, as plain text."""
    if weighing.best is not None:
        best = clean(record.label(weighing.best))
        flips = [flip for flip in weighing.flips if flip.flips_at is not None]
        yield from (_flip_sentence(record, flip, weighing.best) for flip in flips)
        if not flips:
            yield f"No change of a single weight makes another option win over {best}."
        if weighing.holds_in_ratio is not None:
            yield f"Over all possible weightings, {best} wins in {percent(weighing.holds_in_ratio)}."
    if weighing.missing:
        missing = ", ".join(clean(record.label(one)) for one in weighing.missing)
        yield f"Without scores, and so not weighed: {missing}."


def _flip_row(record: DecisionRecord, flip: Flip) -> tuple[str, str, str, str]:
    if flip.flips_at is None or flip.to is None:
        return criterion_text(flip.criterion), percent(flip.weight), "no weight", "–"
    to = inline(record.label(flip.to))
    return criterion_text(flip.criterion), percent(flip.weight), percent(flip.flips_at, flip.weight), to


def _flip_sentence(record: DecisionRecord, flip: Flip, best: str) -> str:
    at, to = flip.flips_at or 0.0, clean(record.label(flip.to or ""))
    return (
        f"{criterion_text(flip.criterion).capitalize()} would have to weigh {percent(at, flip.weight)} instead of "
        f"{percent(flip.weight, at)} before {to} wins over {clean(record.label(best))}."
    )


def _bill(record: DecisionRecord, option: Option) -> str:
    costs = record.costs
    bill = bill_text(option.monthly_cost, costs.currency)
    if bill == UNKNOWN:
        return "Neutral, because what it costs a month is unknown."
    then = option.monthly_cost.fixed if isinstance(option.monthly_cost, Cost) else UNKNOWN
    if isinstance(costs.monthly_now, str) or isinstance(then, str):
        return f"Neutral, because the bill becomes {bill}."
    side = "Bad" if then > costs.monthly_now else "Good" if then < costs.monthly_now else "Neutral"
    users = f" with {costs.at_users:,} users" if costs.at_users else ""
    return f"{side}, because the bill becomes {bill}; it is {costs.monthly_now:,.0f} {costs.currency} now{users}."


def _doors(record: DecisionRecord, option: Option, *, say_none: bool = True) -> Iterator[str]:
    if option.opens:
        yield f"Good, because it opens {_names(record, option.opens)}."
    if option.closes:
        yield f"Bad, because it closes {_names(record, option.closes)}."
    if say_none and not option.opens and not option.closes:
        yield "Neutral, because it neither opens nor closes a later option."


def _names(record: DecisionRecord, options: tuple[str, ...]) -> str:
    names = [inline(record.label(option)) for option in options]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _comparison(record: DecisionRecord) -> str:
    options, currency = record.options, record.costs.currency
    weights = criteria_weights(record)
    rows = [
        ("Effort", *(_weeks(option, record.learning_buffer) for option in options)),
        ("Bill", *(bill_text(option.monthly_cost, currency) for option in options)),
        ("Keeping it running", *(hours_text(option.operating_hours) for option in options)),
    ]
    for name in CRITERIA:
        scores = (str(getattr(option.scores, name)) if option.scores else UNKNOWN for option in options)
        rows.append((f"{criterion_text(name).capitalize()} ({percent(weights[name])})", *scores))
    rows.append(("Opens", *(_names(record, option.opens) if option.opens else "–" for option in options)))
    rows.append(("Closes", *(_names(record, option.closes) if option.closes else "–" for option in options)))
    return table(("", *(inline(record.label(option.id)) for option in options)), rows)


def criteria_weights(record: DecisionRecord) -> dict[str, float]:
    """Criterion → its share of 1."""
    return dict(zip(CRITERIA, criteria_shares(record.criteria).tolist(), strict=True))


def _variants(record: DecisionRecord, option: Option) -> Iterator[str]:
    """Money against operating: the option run by oneself beside its managed editions."""
    users = record.point.complete_before
    weighed = weigh_variants(option, record.criteria, record.costs, users)
    currency = weighed.currency
    yield paragraph(f"Money against operating, a month, at {users:,} users:")
    yield table(
        ("Edition", "Bill", "Operating", "Together", "Score"),
        [
            (
                inline(one.title) + (" (by oneself)" if one.itself else ""),
                _amount(one.bill, currency) if one.bill is not None or one.known_bill is None
                else f"{_amount(one.known_bill, currency)} and an unknown part",
                UNKNOWN if one.operating_hours is None else f"{significant(one.operating_hours)} hours",
                _amount(one.total, currency),
                UNKNOWN if one.score is None else significant(one.score),
            )
            for one in weighed.editions
        ],
    )  # fmt: skip
    yield bullets([inline(said) for said in (*(one.sentence for one in weighed.break_evens), *_best_edition(weighed))])


def _best_edition(weighed: VariantsWeighed) -> Iterator[str]:
    """Which edition is cheapest and which is scored best; what cannot be compared is said to be unknown."""
    titles = {one.id: one.title for one in weighed.editions}
    if weighed.cheapest is not None:
        yield f"Cheapest, operating included: {titles[weighed.cheapest]}."
    elif any(one.total is None for one in weighed.editions):
        yield "Which is cheapest, operating included, is unknown."
    if weighed.best_scored is not None:
        yield f"Scored best: {titles[weighed.best_scored]}."


def _amount(amount: float | None, currency: str) -> str:
    return UNKNOWN if amount is None else f"{amount:,.0f} {currency}"
