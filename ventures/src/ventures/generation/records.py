"""What generation shows, and what an instruction, a note and a draft may be."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final, Literal, get_args
from uuid import UUID

import msgspec
from msgspec import Meta

from ventures.generation.patterns import PatternId
from ventures.search.api import Passage

MOST_NOTES: Final = 100
MOST_NOTE_CHARACTERS: Final = 20_000
MOST_TEXT_CHARACTERS: Final = 40_000
"""Of a draft: about 8,000 words."""
MOST_PASSAGES: Final = 20
SOMETHING: Final = "\\S"

Instruction = Annotated[str, Meta(min_length=1, max_length=4_000, pattern=SOMETHING)]
NoteText = Annotated[str, Meta(min_length=1, max_length=MOST_NOTE_CHARACTERS, pattern=SOMETHING)]
PassageLimit = Annotated[
    int, Meta(ge=0, le=MOST_PASSAGES, description="Most passages of the venture's own content to write from.")
]
State = Literal["running", "finished", "failed", "cancelled"]
Failure = Literal[
    "unreachable",
    "unauthorised",
    "rate_limited",
    "model_failed",
    "wrong_type",
    "hung",
    "slow",
    "cut_off",
    "garbage",
    "refused",
    "too_long",
    "endless",
    "empty",
    "no_passages",
    "search_failed",
    "stopped",
    "abandoned",
    "fault",
]
"""Why a draft failed.

Of the endpoint's answer: `unreachable` no connection · `unauthorised` the key · `rate_limited` · `model_failed` an
error of its own · `wrong_type` no event stream · `hung` nothing came, or nothing more · `slow` not done in time ·
`cut_off` ended without an end · `garbage` not what the protocol says · `refused` by its content filter · `too_long`
more context or text than the model takes · `endless` more text than a draft may have · `empty` no text.
Of the platform: `no_passages` nothing to put an extractive draft together from · `search_failed` · `stopped`,
`abandoned` the process that wrote it was stopped, or died · `fault` a bug of ours.
"""
FAILURES: Final[tuple[Failure, ...]] = get_args(Failure)


class ContextNote(msgspec.Struct, frozen=True):
    """What generation is to know of the venture: its voice, its audience, facts of a product. `version`: as in its
    ETag.
    """

    id: UUID
    title: str
    text: str
    author: UUID
    created_at: datetime
    updated_at: datetime
    version: int


class Citation(msgspec.Struct, frozen=True):
    """What `[mark]` in the text stands for: a passage of version `number` of an item."""

    mark: int
    passage: UUID
    item: UUID
    title: str
    number: int


class Draft(msgspec.Struct, frozen=True):
    """A text somebody asked for.

    format: the pattern asked for; pattern: the one that was written by. item: the one it is about. citations: what the
    marks in the text stand for. unsupported: marks that stood for nothing and were taken out. extractive: put together
    from the venture's own sentences, without a language model; `remark` says so. prompt: version of the instructions to
    the model. reason, problem: why it failed, for programs and for people. accepted_item: the item that was made of it.
    version: as in its ETag.
    """

    id: UUID
    state: State
    instruction: str
    format: PatternId | None
    item: UUID | None
    author: UUID
    text: str
    citations: list[Citation]
    unsupported: int
    model: str | None
    prompt: str | None
    pattern: PatternId | None
    extractive: bool
    remark: str
    prompt_tokens: int | None
    completion_tokens: int | None
    reason: Failure | None
    problem: str | None
    accepted_item: UUID | None
    asked_at: datetime
    ended_at: datetime | None
    version: int


class DraftLine(msgspec.Struct, frozen=True):
    """A draft without its text."""

    id: UUID
    state: State
    instruction: str
    format: PatternId | None
    item: UUID | None
    author: UUID
    extractive: bool
    reason: Failure | None
    problem: str | None
    accepted_item: UUID | None
    asked_at: datetime
    ended_at: datetime | None
    version: int


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a draft is to be written from."""

    venture: UUID
    draft: UUID
    instruction: str
    format: PatternId | None
    item: UUID | None
    passages: int
    notes: bool


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """All that a draft is written from. passages: in the order of their marks, which begin with 1."""

    instruction: str
    pattern: PatternId | None
    item: tuple[str, str] | None
    notes: Sequence[tuple[str, str]]
    passages: Sequence[Passage]

    @property
    def citations(self) -> list[Citation]:
        """What each mark stands for."""
        return [
            Citation(mark, one.id, one.item, one.title, one.number) for mark, one in enumerate(self.passages, start=1)
        ]


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A text that is whole. Tokens where the endpoint told them."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Failed(msgspec.Struct, frozen=True):
    """Why there is no text. problem: a sentence with the next step."""

    reason: Failure
    problem: str
