"""Whether the service as it is was tuned: what an option gains over an untuned one says little of the option."""

from __future__ import annotations

from outgrow.evidence.comparison import measured_ratios
from outgrow.evidence.fitness import FIT_WITHIN
from outgrow.evidence.records import Evidence, MeasuredRatio
from outgrow.evidence.summary import ratio_words
from outgrow.points.declaration import TUNE

UNTUNED_FROM = FIT_WITHIN
"""From here the service as it is counts as untuned: by less, a fit machine may see an arm differ from itself."""


def tuning_ratio(evidence: Evidence) -> MeasuredRatio | None:
    """How many times faster the tuned service is than the service as it is; None where not both were arms."""
    return next((each for each in measured_ratios(evidence, "") if each.option == TUNE and not each.tuned), None)


def found_tuned(evidence: Evidence) -> bool | None:
    """Whether the service as it is proved to be tuned: True where all of the interval lies below ``UNTUNED_FROM``,
    False where all lies above; None where it contains it, or where it was not measured.
    """
    if evidence.baseline_tuned:
        return True
    gain = tuning_ratio(evidence)
    if gain is None or gain.ratio is None:
        return None
    if gain.ratio.low > UNTUNED_FROM:
        return False
    return True if gain.ratio.high < UNTUNED_FROM else None


def tuning_sentence(evidence: Evidence) -> str:
    """What is to be said of it."""
    if evidence.baseline_tuned:
        return "The baseline is the tuned service."
    gain = tuning_ratio(evidence)
    if gain is None:
        return "Whether the service as it is was tuned is not known: no arm of option tune was measured."
    if gain.ratio is None:
        return f"Whether the service as it is was tuned is not known: {gain.why_not}."
    times = f"faster by {ratio_words(gain.ratio)}"
    tuned = found_tuned(evidence)
    if tuned is False:
        return (
            f"The service as it is was untuned: tune alone makes it {times}. Every ratio over {gain.against} flatters "
            "an option by as much, so only those over the tuned service are ruled on."
        )
    if tuned:
        return f"The service as it is was tuned already: tune makes it {times}."
    return f"Whether the service as it is was tuned is open: tune makes it {times}."
