"""Makes the four checks of a finished move: asks the arms, runs the team's own tests, reads what is kept.

In: a declared validation with its experiment opened, the ledger, what is known of the move. Out: checks, kept in the
ledger; and baselines, the service as it was before. Speaks to arms through ``ports``; what it finds is judged in
``outgrow.validation``.
"""

from outgrow.validating.baselines import last_baseline, record_baseline
from outgrow.validating.driving import Given, Validated, validate
from outgrow.validating.measuring import Told
from outgrow.validating.signing import sign, signatures

__all__ = [
    "Given",
    "Told",
    "Validated",
    "last_baseline",
    "record_baseline",
    "sign",
    "signatures",
    "validate",
]
