"""Words looked up in PostgreSQL: all that were asked for must be in the passage.

One index finds words and venture together, since each passage holds a word that names its venture. Row-level security
lets it be used where the match is marked leakproof (`ventures.database.roles.extend`); elsewhere all the venture's
passages are read: the same answer, later.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID, uuid5

from ventures.database.scope import Queued, Row, Scope
from ventures.search import sql
from ventures.search.ranking import Found
from ventures.vectors.api import ALL, Kind, Only

MOST_RANKED: Final = 500
"""So many of the passages that have all the words are ranked: 1 to 2 ms with reading them."""
MOST_CHARACTERS: Final = 500
"""Of a query; what is beyond is not looked for."""


async def search(
    scope: Scope, model: str, words: str, limit: int, only: Only = ALL, *, kind: Kind = Kind.CONTENT
) -> list[Found]:
    """Passages with all the words, best first (cover density, `ts_rank_cd`), equals by id. words: in websearch syntax
    (`"a phrase"`, `-without`, `or`), read as English; none is found where they hold nothing to look for.

    Where more than 500 passages have the words, 500 of them are ranked: the first by id, which is as good as by lot.
    The statement is planned for these words, since the best plan depends on how common they are.
    """
    return found(await (await ask(scope, model, words, limit, only, kind=kind)).all())


def found(rows: Sequence[Row]) -> list[Found]:
    """What was asked for with `ask`."""
    return [Found(*row) for row in rows]


async def ask(
    scope: Scope, model: str, words: str, limit: int, only: Only = ALL, *, kind: Kind = Kind.CONTENT
) -> Queued:
    """The same, sent without waiting for it."""
    return await scope.planned_anew().queued(
        sql.KEYWORDS,
        model=model,
        mark=f"'{mark(scope.venture, model, kind)}'",
        words=plain(words),
        states=list(only.states),
        sources=list(only.sources),
        but=list(only.but),
        most=MOST_RANKED,
        limit=limit,
    )


def mark(venture: UUID, model: str, kind: Kind) -> str:
    """The word by which passages of this venture, model and kind are found; no text holds it, since none begins with
    an at sign.
    """
    return f"@{uuid5(venture, f'{model}/{kind}').hex}"


def plain(words: str) -> str:
    """What PostgreSQL takes as a text: without NUL and halves of surrogate pairs, and of so many whole words."""
    if len(words) > MOST_CHARACTERS:
        words = words[:MOST_CHARACTERS].rpartition(" ")[0] or words[:MOST_CHARACTERS]
    return words.replace("\0", " ").encode("utf-8", "replace").decode()
