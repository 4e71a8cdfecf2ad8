"""The five selection criteria, weighed, and how far a weight must move before another option wins."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from outgrow.decisions.records import CRITERIA, Flip, Weighing
from outgrow.points.declaration import Criteria, Option, Scores
from outgrow.signals.series import FloatArray

TIE = 1e-9
"""Weighted means (of 1–5) that differ by no more than this are equal: what differs is rounding."""

WEIGHTINGS = 20_000
"""Weightings drawn for ``holds_in_ratio``; its error is then at most 0.4 points."""

_SEED = 5


def weigh(options: Sequence[Option], criteria: Criteria, eligible: Sequence[str]) -> Weighing:
    """The options weighed by the criteria; the best of the ``eligible`` ones wins.

    Only proportions of the weights matter. Nobody wins on a tie, nor while an eligible option has no scores: it might
    be better.
    """
    weights = criteria_shares(criteria)
    scored = {option.id: _scores(option.scores) for option in options if option.scores is not None}
    means = {option: float(weights @ scores) for option, scores in scored.items()}
    missing = tuple(option for option in eligible if option not in scored)
    rivals = {option: scored[option] for option in eligible if option in scored}
    best = None if missing else _winner({option: means[option] for option in rivals})
    return Weighing(
        scores=tuple(sorted(means.items(), key=lambda each: -round(each[1], 9))),
        eligible=tuple(eligible),
        best=best,
        flips=tuple(_flips(rivals, weights, best)) if best is not None else (),
        missing=missing,
        holds_in_ratio=_holds_in(rivals, best) if best is not None else None,
    )


def criteria_shares(criteria: Criteria) -> FloatArray:
    """The weights as shares of 1, in the order of ``CRITERIA``. Raises ``ValueError`` where all are zero."""
    weights = np.array([float(getattr(criteria, name)) for name in CRITERIA])
    if not weights.max() > 0:
        raise ValueError("at least one weight must be above zero")
    weights = weights / weights.max()
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def weighted_mean(scores: Scores, criteria: Criteria) -> float:
    """The weighted mean of 1–5."""
    return float(criteria_shares(criteria) @ _scores(scores))


def _scores(scores: Scores) -> FloatArray:
    return np.array([float(getattr(scores, name)) for name in CRITERIA])


def _winner(means: Mapping[str, float]) -> str | None:
    """The option of the highest mean; None on a tie or among none."""
    ranked = sorted(means, key=lambda option: -means[option])
    if not ranked or (len(ranked) > 1 and means[ranked[0]] - means[ranked[1]] <= TIE):
        return None
    return ranked[0]


def _flips(rivals: Mapping[str, FloatArray], weights: FloatArray, best: str) -> Iterator[Flip]:
    """For each criterion the nearest weight, x of 1, beyond which another option leads.

    With the others kept in proportion, the lead over a rival is x·a + (1 − x)·b: a the difference of their scores on
    the criterion, b the difference of their means over the other criteria. It ends where that is zero.
    """
    for place, name in enumerate(CRITERIA):
        weight = float(weights[place])
        others = np.delete(weights, place)
        others = others / others.sum() if others.sum() > 0 else np.full(others.size, 1 / others.size)
        nearest: tuple[float, float, str] | None = None
        for rival in sorted(rivals):
            lead = rivals[best] - rivals[rival]
            alone, rest = float(lead[place]), float(others @ np.delete(lead, place))
            if abs(alone - rest) <= TIE or (alone >= -TIE and rest >= -TIE):
                continue  # ahead at every weight
            at = min(1.0, max(0.0, -rest / (alone - rest)))
            found = (round(abs(at - weight), 9), round(-abs(alone - rest), 9), rival)
            if nearest is None or found < nearest:
                nearest, flips_at = found, at
        yield Flip(name, weight, flips_at if nearest else None, nearest[2] if nearest else None)


def _holds_in(rivals: Mapping[str, FloatArray], best: str) -> float:
    """The share of all weightings, uniform over the simplex, under which ``best`` leads all rivals."""
    leads = [rivals[best] - scores for option, scores in rivals.items() if option != best]
    if not leads:
        return 1.0
    if all(lead.min() >= 0 and lead.max() > 0 for lead in leads):
        return 1.0
    drawn = np.random.default_rng(_SEED).standard_exponential((WEIGHTINGS, len(CRITERIA)))
    return math.floor(float(np.mean(np.all(drawn @ np.array(leads).T > 0, axis=1))) * 1000) / 1000
