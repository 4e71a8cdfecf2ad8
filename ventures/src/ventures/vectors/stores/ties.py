"""Equal scores are ordered by id, also where the limit falls between them; engines order them as they please."""

from collections.abc import Sequence
from typing import Final

TIES: Final = 8
"""Points to ask for beyond the limit."""
MOST_TIES: Final = 8_192
"""Where more points than this have the same score, it is left to the engine which of them come first."""


def ties_go_on(scores: Sequence[float], limit: int, asked: int) -> bool:
    """Whether to ask for more: of the scores, best first, those equal to the last one within the limit go on to the
    last there is.
    """
    return len(scores) >= asked and scores[-1] == scores[limit - 1] and asked < MOST_TIES
