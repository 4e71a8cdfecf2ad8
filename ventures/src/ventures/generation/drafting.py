"""The drafts that this process writes: each a task of its own, which ends in an event whatever becomes of it."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, Literal
from uuid import UUID

from ventures.errors import Conflict, NotFound, Refused, TooMany, Unavailable
from ventures.generation.commands import WRITER, AbandonDraft, FailDraft, FinishDraft
from ventures.generation.composing import gathered, instruction_vector, pattern_of
from ventures.generation.model import SENTENCES
from ventures.generation.patterns import shared_points
from ventures.generation.ports import Model, Passages
from ventures.generation.reading import is_running
from ventures.generation.records import Asked, Citation, Failed
from ventures.generation.writing import by_model, extracted
from ventures.log.api import Command, Spine
from ventures.search.api import Embedder
from ventures.vectors.api import Point

AT_ONCE: Final = 32
"""Drafts that one process writes at once."""
AT_ONCE_OF_ONE: Final = 8
"""Of these for one person, in however many ventures: a model that hangs keeps each for two minutes."""
LONGEST_SECONDS: Final = 135.0
"""Search and the model's 120 s; less than `commands.DUE`, after which it counts as abandoned."""
WATCH_SECONDS: Final = 2.0
"""How often the writer looks whether somebody cancelled, by whichever process."""
ALIVE_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 5.0
APPEND_TRIES: Final = 5
STOPPED: Final = Failed("stopped", "The process that wrote this draft was stopped. Ask again; it was not counted.")
SEARCH_FAILED: Final = "The venture's passages could not be searched for this draft. Try again in a moment."
FAULT: Final = Failed("fault", "Something went wrong on our side. It was logged; ask again, it was not counted.")

Why = Literal["left", "stopped"]
log = logging.getLogger(__name__)


class Progress:
    """A draft on its way. Pieces stay in memory until it ends, so that a reader may come late."""

    def __init__(self) -> None:
        self.citations: Sequence[Citation] | None = None
        self.pieces: list[str] = []
        self.ended = False
        self.why: Why | None = None
        self.stopped = asyncio.Event()
        self._moved = asyncio.Event()

    def given(self, citations: Sequence[Citation]) -> None:
        """What it is written from is known."""
        self.citations = citations
        self._move()

    def said(self, piece: str) -> None:
        """One more piece of the text."""
        self.pieces.append(piece)
        self._move()

    def end(self) -> None:
        """Its event stands in the log, unless the database did not answer."""
        self.ended = True
        self._move()

    def stop(self, why: Why) -> None:
        """It is not to be written any more. Returns at once."""
        if self.why is None:
            self.why = why
        self.stopped.set()

    async def follow(self) -> AsyncGenerator[Sequence[Citation] | str | None, None]:
        """Citations, then pieces, to the end; None where there was nothing for ten seconds."""
        told, seen = False, 0
        while True:
            moved = self._moved
            if self.citations is not None and not told:
                told = True
                yield self.citations
            while seen < len(self.pieces):
                seen += 1
                yield self.pieces[seen - 1]
            if self.ended and seen == len(self.pieces):
                return
            try:
                async with asyncio.timeout(ALIVE_SECONDS):
                    await moved.wait()
            except TimeoutError:
                yield None

    def _move(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()


class Drafting:
    """wrote: is told the venture of each draft that finished, for its plan. model: None for extractive drafts."""

    def __init__(
        self,
        spine: Spine,
        *,
        passages: Passages,
        embedder: Embedder,
        model: Model | None,
        wrote: Callable[[UUID], None],
    ) -> None:
        self._spine = spine
        self._passages = passages
        self._embedder = embedder
        self._model = model
        self._wrote = wrote
        self._points: Sequence[Point] | None = None
        self._running: dict[UUID, tuple[asyncio.Task[None], Progress]] = {}
        self._taken: list[UUID] = []

    @contextmanager
    def place(self, account: UUID) -> Iterator[Callable[[Asked], Progress]]:
        """Room for one more of this person's; what it yields begins to write.

        Raises: Unavailable where there is none, TooMany where they have their share.
        """
        if self._taken.count(account) >= AT_ONCE_OF_ONE:
            raise TooMany(
                f"{AT_ONCE_OF_ONE} drafts are being written for you already. Wait for one to end, or cancel one.",
                retry_after_seconds=5,
            )
        if len(self._taken) >= AT_ONCE:
            raise Unavailable(
                f"{AT_ONCE} drafts are being written by this process already. Try again in a few seconds.",
                retry_after_seconds=5,
            )
        self._taken.append(account)
        started = False

        def start(asked: Asked) -> Progress:
            nonlocal started
            started = True
            return self._started(asked, account)

        try:
            yield start
        finally:
            if not started:
                self._taken.remove(account)

    def progress(self, draft: UUID) -> Progress | None:
        """Of a draft that this process is writing."""
        found = self._running.get(draft)
        return None if found is None else found[1]

    async def close(self) -> None:
        """Ends what is on its way, each draft as failed, and lets go of the model."""
        tasks = [task for task, _ in self._running.values()]
        for _, progress in self._running.values():
            progress.stop("stopped")
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._model is not None:
            await self._model.close()

    def _started(self, asked: Asked, account: UUID) -> Progress:
        progress = Progress()
        task = asyncio.create_task(self._written(asked, progress))
        self._running[asked.draft] = (task, progress)

        def over(ended: asyncio.Task[None]) -> None:
            if not ended.cancelled() and (error := ended.exception()) is not None:
                log.error("draft %s stays running until it is overdue", asked.draft, exc_info=error)
            self._taken.remove(account)
            self._running.pop(asked.draft, None)
            progress.end()

        task.add_done_callback(over)
        return progress

    async def _written(self, asked: Asked, progress: Progress) -> None:
        work = asyncio.create_task(self._ending(asked, progress))
        watch = asyncio.create_task(self._watched(asked, progress))
        try:
            await asyncio.wait({work, watch}, timeout=LONGEST_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                command: Command | None = work.result()
            elif watch.done():
                command = watch.result()
            else:
                command = FailDraft(
                    draft=asked.draft, reason="slow", problem=SENTENCES["slow"], seconds=LONGEST_SECONDS
                )
        finally:
            for task in (work, watch):
                task.cancel()
            await asyncio.gather(work, watch, return_exceptions=True)
        if command is not None:
            await self._appended(asked, command)

    async def _ending(self, asked: Asked, progress: Progress) -> Command:
        """Writes, and says how it ended."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            end = await self._text(asked, progress)
        except Refused as refused:
            log.warning("draft %s: no passages: %s", asked.draft, refused)
            end = Failed("search_failed", SEARCH_FAILED)
        except Exception:  # whatever it is, a draft does not stay running for it
            log.exception("draft %s failed", asked.draft)
            end = FAULT
        seconds = round(loop.time() - began, 3)
        if isinstance(end, Failed):
            return FailDraft(draft=asked.draft, reason=end.reason, problem=end.problem, seconds=seconds)
        return end(seconds)

    async def _text(self, asked: Asked, progress: Progress) -> Callable[[float], FinishDraft] | Failed:
        """Raises: Unavailable, Invalid."""
        if self._points is None:
            self._points = await shared_points(self._embedder)
        instruction = await instruction_vector(self._embedder, asked)
        pattern = pattern_of(asked, self._points, instruction)
        material = await gathered(self._spine.database, self._passages, asked, pattern)
        progress.given(material.citations)
        if self._model is None:
            text = await extracted(self._embedder, material, instruction, progress.said)
        else:
            text = await by_model(self._model, material, progress.said)
        if isinstance(text, Failed):
            return text
        return lambda seconds: FinishDraft(
            draft=asked.draft,
            text=text.text,
            citations=list(text.citations),
            unsupported=text.unsupported,
            model=text.model,
            prompt=text.prompt,
            pattern=pattern,
            extractive=text.extractive,
            remark=text.remark,
            prompt_tokens=text.prompt_tokens,
            completion_tokens=text.completion_tokens,
            seconds=seconds,
        )

    async def _watched(self, asked: Asked, progress: Progress) -> Command | None:
        """Returns when it is not to be written any more: with what to append, or None where that was done."""
        while True:
            try:
                async with asyncio.timeout(WATCH_SECONDS):
                    await progress.stopped.wait()
            except TimeoutError:
                with suppress(Unavailable):
                    async with self._spine.database.reading(asked.venture) as scope:
                        if not await is_running(scope, asked.draft):
                            return None
                continue
            if progress.why == "left":
                return AbandonDraft(draft=asked.draft)
            return FailDraft(draft=asked.draft, reason=STOPPED.reason, problem=STOPPED.problem)

    async def _appended(self, asked: Asked, command: Command) -> None:
        """Asks again with the same key while the database does not answer; what stays running then, is found."""
        idem = f"generation:{asked.draft}:{type(command).__name__}"
        for again in range(APPEND_TRIES):
            try:
                await self._spine.append(asked.venture, command, actor=WRITER, idem=idem)
            except (Conflict, NotFound) as refused:
                log.info("draft %s ended otherwise meanwhile: %s", asked.draft, refused)
                return
            except Unavailable as error:
                log.warning("draft %s waits for the database: %s", asked.draft, error)
                await asyncio.sleep(0.2 * 2**again)
                continue
            if isinstance(command, FinishDraft):
                self._wrote(asked.venture)
            return
