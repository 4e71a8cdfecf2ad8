"""One draft, from what it is written from to its text: by a language model, or put together from passages."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Final

import msgspec

from ventures.generation.citing import Citing
from ventures.generation.extracting import chosen, length_of, put_together, sentences
from ventures.generation.ports import Model
from ventures.generation.prompts import PROMPT, messages
from ventures.generation.records import MOST_TEXT_CHARACTERS, Citation, Failed, Material, Written
from ventures.search.api import Embedder
from ventures.vectors.api import Vector

EXTRACTIVE: Final = "extractive"
REMARK: Final = (
    "No language model is configured here: this draft was put together from sentences of your own passages, word for "
    "word."
)
NO_PASSAGES: Final = Failed(
    "no_passages",
    "There are too few passages to put a draft together from. Write an item about it first and try again in a moment, "
    "ask in other words or with more passages; or whoever runs this installation sets a language model "
    "(VENTURES_LANGUAGE_MODEL_URL).",
)
FEWEST_SENTENCES: Final = 2
MOST_SENTENCES: Final = 400
"""That are weighed against each other."""

Said = Callable[[str], None]
"""Is called with each piece of the text, as soon as it is certain."""


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """A whole draft, as its record has it."""

    text: str
    citations: Sequence[Citation]
    unsupported: int
    model: str
    prompt: str | None
    extractive: bool
    remark: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


async def by_model(model: Model, material: Material, said: Said) -> Text | Failed:
    """The model's text with its marks checked; what it did wrong is a value."""
    citing = Citing(len(material.passages))
    pieces: list[str] = []

    def add(piece: str) -> None:
        if piece:
            pieces.append(piece)
            said(piece)

    end: Written | Failed = Failed("cut_off", "The language model's answer broke off before its end. Try again.")
    async with aclosing(model.write(messages(material))) as stream:
        async for piece in stream:
            if isinstance(piece, str):
                add(citing.fed(piece))
            else:
                end = piece
    if isinstance(end, Failed):
        return end
    add(citing.ended())
    text = "".join(pieces).strip()
    if not text:
        return Failed("empty", "Nothing was left of the language model's text but marks that stand for nothing.")
    return Text(
        text=text[:MOST_TEXT_CHARACTERS],
        citations=[one for one in material.citations if one.mark in citing.used],
        unsupported=citing.unsupported,
        model=model.name,
        prompt=PROMPT,
        extractive=False,
        remark="",
        prompt_tokens=end.prompt_tokens,
        completion_tokens=end.completion_tokens,
    )


async def extracted(embedder: Embedder, material: Material, instruction: Vector, said: Said) -> Text | Failed:
    """Sentences of the passages, word for word. Raises: Unavailable, Invalid."""
    found = sentences(material.passages)[:MOST_SENTENCES]
    if len(found) < FEWEST_SENTENCES:
        return NO_PASSAGES
    vectors = await embedder.embed([one.text for one in found])
    best = await asyncio.to_thread(chosen, instruction, vectors, length_of(material.pattern))
    picked = [found[index] for index in best]
    text = put_together(picked, material.pattern)
    said(text)
    marks = {one.mark for one in picked}
    return Text(
        text=text,
        citations=[one for one in material.citations if one.mark in marks],
        unsupported=0,
        model=EXTRACTIVE,
        prompt=None,
        extractive=True,
        remark=REMARK,
    )
