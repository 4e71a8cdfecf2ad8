"""What is moved: a population, and behind it the rest of a million passages, laid straight into PostgreSQL.

The platform itself writes the first passages of each venture (`ventures populate`, so that people, items and logs are
there for the load). The others are texts of the same population's grammar and their vectors, as rows of `passage` and
`embedding` of the same ventures, whose sizes are skewed as the population's: what they lack is an item to be read.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import LiteralString
from uuid import UUID, uuid5

import msgspec
import psycopg

from ventures.database import embedded
from ventures.population import grammar
from ventures.population.api import Plan
from ventures.population.shape import items_for, passages_of_item, sizes, venture_id
from ventures.search.embedding import WordLlamaEmbedder, written
from ventures.search.keywords import mark
from ventures.search.splitting import embedded as text_of_vector
from ventures.search.splitting import passage_id
from ventures.vectors.api import Kind
from ventures.workers import supervisor

AT_ONCE = 2_000
"""Passages that a process makes before it sends them: some 5 MB."""
ENOUGH = 0.97
"""Of a venture's passages: items have three to seven, so that it is not always exactly as many as were wanted."""
SAID_EVERY_SECONDS = 5.0
PROCESSES = 2

WORDS_INDEX: LiteralString = (
    "CREATE INDEX IF NOT EXISTS passage_words ON regional.passage USING gin (words) WITH (gin_pending_list_limit = 512)"
)
"""As migration 0013 makes it; away while rows are laid, since making it at the end takes a fraction of the time."""
FORGET_MOVES: tuple[LiteralString, ...] = (
    "TRUNCATE outgrow.shadow, outgrow.journal, outgrow.intent, outgrow.tenant_state, outgrow.route, outgrow.migration",
    "DELETE FROM regional.consumer_position WHERE consumer = 'vectors'",
)
COUNTS: LiteralString = """
SELECT p.venture, count(e.id) FROM regional.consumer_position p
LEFT JOIN regional.embedding e ON e.venture = p.venture AND e.model = p.target AND e.kind = 'content'
    AND e.vector IS NOT NULL
WHERE p.consumer = 'passages' AND p.target = %(model)s GROUP BY p.venture"""
POSITION: LiteralString = """
SELECT seq FROM regional.consumer_position
WHERE venture = %(venture)s AND consumer = 'passages' AND target = %(model)s"""
LAID: LiteralString = """
CREATE TEMPORARY TABLE laid (
    id uuid, source uuid, place integer, title text, text text, mark text
) ON COMMIT DELETE ROWS"""
PUT: LiteralString = """
INSERT INTO regional.passage (venture, model, id, kind, source, place, number, title, text, state, seq, updated_at,
    words)
SELECT %(venture)s, %(model)s, n.id, 'content', n.source, n.place, 1, n.title, n.text, 'approved', %(seq)s, %(at)s,
       setweight(to_tsvector('english', CASE n.place WHEN 0 THEN n.title ELSE '' END), 'A')
       || to_tsvector('english', n.text) || array_to_tsvector(ARRAY[n.mark])
FROM laid n"""
EMBED: LiteralString = "COPY regional.embedding (venture, model, id, kind, source, state, seq, vector) FROM STDIN"


@dataclass(frozen=True, slots=True)
class Crowd:
    """A population and how many passages there are to be in the end.

    Attributes:
        users, ventures: as told to `ventures populate`.
        written_per_user: passages that the platform writes.
        passages: all together.
    """

    users: int
    ventures: int
    written_per_user: int
    passages: int
    seed: int = 1

    @property
    def wanted(self) -> list[int]:
        """Passages of each venture: the skew of a population of so many passages."""
        each = self.passages / self.users
        whole = Plan(users=self.users, ventures=self.ventures, passages_per_user=max(1, round(each)), seed=self.seed)
        return sizes(whole)

    @property
    def written(self) -> list[int]:
        """Those of them that the platform writes."""
        return sizes(
            Plan(users=self.users, ventures=self.ventures, passages_per_user=self.written_per_user, seed=self.seed)
        )

    @property
    def arguments(self) -> list[str]:
        """For `ventures populate` and `ventures load`."""
        told = {
            "users": self.users,
            "ventures": self.ventures,
            "passages-per-user": self.written_per_user,
            "seed": self.seed,
        }
        return [word for name, value in told.items() for word in (f"--{name}", str(value))]


def made(data: Path, crowd: Crowd, seconds: float) -> bool:
    """Makes what is missing, for about so many seconds, and says whether it is all there. What is there stays."""
    began = time.monotonic()
    _same(data, crowd)
    if not _mark(data).exists():
        if not _populated(data, crowd, seconds):
            return False
        _mark(data).write_bytes(msgspec.json.encode(crowd))
    with _server(data) as superuser:
        return _laid(superuser, crowd, began + seconds)


def _mark(data: Path) -> Path:
    """The file that says that the platform's own part of a population is there, and which."""
    return data.with_name(data.name + ".populated.json")


def _same(data: Path, crowd: Crowd) -> None:
    if _mark(data).exists() and msgspec.json.decode(_mark(data).read_bytes(), type=Crowd) != crowd:
        raise ValueError(f"{data} holds another population, which {_mark(data)} describes; give another folder")


def copied(source: Path, target: Path, crowd: Crowd) -> None:
    """The population of another folder, where this one has none yet; nothing may run in either."""
    if target.exists() or not _mark(source).exists():
        return
    unfinished = target.with_name(target.name + ".copying")
    shutil.rmtree(unfinished, ignore_errors=True)
    # cp keeps owners: where root runs this, PostgreSQL's files belong to another account
    subprocess.run(["cp", "-a", str(source), str(unfinished)], check=True)
    for stale in ("index", "socket", "metrics", "serve.lock", "start.lock"):
        one = unfinished / stale
        shutil.rmtree(one) if one.is_dir() else one.unlink(missing_ok=True)
    unfinished.rename(target)
    _mark(target).write_bytes(msgspec.json.encode(crowd))


def forgotten(data: Path) -> None:
    """Takes back what an earlier measurement left: its routes, its migration, its index."""
    shutil.rmtree(data / "index", ignore_errors=True)
    with _server(data) as superuser, psycopg.connect(superuser, autocommit=True) as connection:
        for statement in FORGET_MOVES:
            connection.execute(statement)
        connection.execute("VACUUM (ANALYZE) regional.consumer_position")
        connection.execute("CHECKPOINT")


@contextmanager
def _server(data: Path) -> Iterator[str]:
    """PostgreSQL alone, for as long as this takes; → the superuser's address, whom row-level security lets COPY."""
    with supervisor.sole(data):
        addresses = embedded.start(data, ends_with_us=True)
        try:
            yield addresses.superuser
        finally:
            embedded.stop(data)


def _populated(data: Path, crowd: Crowd, seconds: float) -> bool:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("VENTURES_")}
    running = subprocess.Popen(
        [sys.executable, "-m", "ventures.cli", "populate", *crowd.arguments],
        env={**ours, "VENTURES_DATA": str(data)}, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        code = running.wait(seconds)
    except subprocess.TimeoutExpired:
        running.terminate()
        running.wait()
        return False
    if code:
        raise RuntimeError(f"ventures populate ended with {code}")
    return True


def _laid(superuser: str, crowd: Crowd, until: float) -> bool:
    """The rows that the platform did not write, the largest venture first, each venture in one transaction."""
    with psycopg.connect(superuser, autocommit=True) as connection:
        model = WordLlamaEmbedder.model
        counted: dict[UUID, int] = dict(connection.execute(COUNTS, {"model": model}).fetchall())
        written = crowd.written
        works = [
            (number, wanted - written[number])
            for number, wanted in enumerate(crowd.wanted)
            if counted.get(venture_id(crowd.seed, number), 0) < ENOUGH * wanted and wanted > written[number]
        ]
        if works:
            connection.execute("DROP INDEX IF EXISTS regional.passage_words")
            left = _by_processes(superuser, crowd, works, until)
            if left:
                print(f"  {left:,} ventures are left to be laid; say it again", flush=True)
                return False
        print("  the index on words, statistics", flush=True)
        connection.execute("SET maintenance_work_mem = '768MB'")
        connection.execute(WORDS_INDEX)
        if works:
            connection.execute("VACUUM (ANALYZE) regional.passage, regional.embedding")
    return True


def _by_processes(superuser: str, crowd: Crowd, works: list[tuple[int, int]], until: float) -> int:
    """→ how many ventures are left, where the time was over."""
    of, done, said, began = sum(count for _, count in works), 0, 0.0, time.monotonic()
    waiting = iter(works)
    with ProcessPoolExecutor(PROCESSES) as pool:

        def begin(count: int) -> set[Future[int]]:
            if time.monotonic() > until:
                return set()
            return {
                pool.submit(lay, superuser, crowd.seed, number, crowd.written[number], wanted)
                for number, wanted in islice(waiting, count)
            }

        under_way = begin(2 * PROCESSES)
        while under_way:
            finished, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            done += sum(one.result() for one in finished)
            under_way |= begin(len(finished))
            now = time.monotonic()
            if now - said > SAID_EVERY_SECONDS:
                said = now
                print(f"  {done:,} of {of:,} passages laid, {done / (now - began):,.0f}/s", flush=True)
    return len(list(waiting))


def lay(superuser: str, seed: int, number: int, known: int, count: int) -> int:
    """So many passages of one venture, of items behind those of the `known` ones, in one transaction; → how many."""
    embedder = WordLlamaEmbedder()
    venture, model = venture_id(seed, number), embedder.model
    with psycopg.connect(superuser, options="-c synchronous_commit=off") as connection:
        row = connection.execute(POSITION, {"venture": venture, "model": model}).fetchone()
        if row is None:
            raise RuntimeError(f"venture {venture} has no passages: the population is not whole")
        connection.execute(LAID)
        told = {"venture": venture, "model": model, "seq": row[0], "at": datetime.now(UTC)}
        word = mark(venture, model, Kind.CONTENT)
        made = laid_passages(seed, number, venture, items_for(seed, number, known), count)
        while some := list(islice(made, AT_ONCE)):
            with connection.cursor().copy("COPY laid FROM STDIN") as copy:
                for one in some:
                    copy.write_row((one.id, one.source, one.place, one.title, one.text, word))
            connection.execute(PUT, told)
            connection.execute("TRUNCATE laid")
            texts = [text_of_vector(one.title, one.place, one.text) for one in some]
            vectors = asyncio.run(embedder.embed(texts))
            with connection.cursor().copy(EMBED) as copy:
                for one, vector in zip(some, vectors, strict=True):
                    seq = told["seq"]
                    copy.write_row((venture, model, one.id, "content", one.source, "approved", seq, written(vector)))
    return count


class Laid(msgspec.Struct, frozen=True):
    """A passage that is laid."""

    id: UUID
    source: UUID
    place: int
    title: str
    text: str


def laid_passages(seed: int, number: int, venture: UUID, item: int, count: int) -> Iterator[Laid]:
    """So many passages of a venture, of items from this number on; always the same."""
    while count > 0:
        source = uuid5(venture, f"laid/{item}")
        title = grammar.title(seed, number, item)
        for place in range(min(count, passages_of_item(seed, number, item))):
            text = grammar.paragraph(seed, number, item, place)
            yield Laid(passage_id(source, Kind.CONTENT, place), source, place, title, text)
            count -= 1
        item += 1
