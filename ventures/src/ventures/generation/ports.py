"""What generation asks of others: passages of a venture, and a model that writes."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol
from uuid import UUID

from ventures.generation.prompts import Message
from ventures.generation.records import Failed, Written
from ventures.search.api import Passage
from ventures.vectors.api import Kind


class Passages(Protocol):
    """The search of the platform, as generation needs it."""

    async def near(self, venture: UUID, text: str, limit: int, *, kind: Kind = Kind.CONTENT) -> Sequence[Passage]:
        """The venture's own passages that say most about the text, best first; of items, or of context notes (kind
        `CONTEXT`). Whether somebody may see them was asked before. Raises: Unavailable.
        """


class Model(Protocol):
    """`name` is kept with each draft. `LanguageModel` is the one there is."""

    name: str

    def write(self, prompt: Sequence[Message]) -> AsyncGenerator[str | Written | Failed, None]:
        """Pieces of the text as they come; last `Written` or `Failed`. Closing it ends the work."""

    async def close(self) -> None:
        """Lets go of what it holds."""
