"""The consumer that makes passages, their vectors and preferences out of the log, for one embedding model.

What stands in the tables depends on the events alone and not on how many of them a turn took: a turn's events are
folded one after the other in memory, after all their texts were made vectors of together.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from ventures.database.scope import Queued, Scope
from ventures.log.api import Event, Rest
from ventures.search import sql
from ventures.search.embedding import Embedder, WordLlamaEmbedder, read, written
from ventures.search.folding import NEVER, Held, Place
from ventures.search.keywords import mark
from ventures.search.ports import Source
from ventures.search.preferences import ACTS, GOING, Preference, preference_id
from ventures.search.records import PassageChange, SourceChange
from ventures.search.splitting import embedded, passage_id, split
from ventures.tenancy.api import VentureDeleted
from ventures.vectors.api import Kind, Vector

NAME: Final = "passages"
ENDED: Final = VentureDeleted.type
MOST_CHARACTERS: Final = 500_000
"""Of the texts that are folded in one go: about 1,000 passages, with their vectors a few megabytes."""
ROWS: Final = 500
"""A statement's."""

Key = tuple[Kind, UUID]
Row = tuple[Any, ...]


class Change(NamedTuple):
    """What a source read from an event. texts: the passages, where it brings a text."""

    change: SourceChange
    texts: list[str]


class Read(NamedTuple):
    """An event, and what the sources read from it."""

    event: Event
    changes: list[Change]

    @property
    def characters(self) -> int:
        """Of its texts."""
        return sum(len(text) for _, texts in self.changes for text in texts)


class Asked(NamedTuple):
    """What is to become as the tables have it, and the answers on their way that say how; None where nobody asked."""

    held: dict[Key, Held]
    standing: Queued | None
    preferences: dict[UUID, Preference]
    known: Queued | None


class Passages:
    """Makes all that is searched of a venture for the embedder's model; another model is another target, filled beside
    it, with rows of its own. Takes turns of its own where it may wait for an endpoint.
    """

    def __init__(self, embedder: Embedder, sources: Sequence[Source]) -> None:
        self.name = NAME
        self.target = embedder.model
        of_sources = frozenset[str]().union(*(source.handles for source in sources))
        self.handles: frozenset[str] | None = of_sources | ACTS.keys() | GOING | {ENDED}
        self.apart = not isinstance(embedder, WordLlamaEmbedder)
        self._embedder = embedder
        self._sources = tuple(sources)

    async def handle(self, scope: Scope, event: Event) -> None:
        await (await self.handle_all(scope, [event]))()

    async def handle_all(self, scope: Scope, events: Sequence[Event]) -> Rest:
        first, *others = _portions([await self._read(scope, event) for event in events])
        asked = await self._ask(scope, first)

        async def rest() -> None:
            await self._fold(scope, first, asked)
            for some in others:
                await self._fold(scope, some, await self._ask(scope, some))
            for event in events:
                if event.type == ENDED:
                    await self._end(scope, event.seq)

        return rest

    async def _end(self, scope: Scope, seq: int) -> None:
        """The venture was deleted: no text stays, and of vectors only that they went, for the stores to hear of."""
        await scope.run(sql.FORGET_PASSAGES, model=self.target)
        await scope.run(sql.END_EMBEDDINGS, model=self.target, seq=seq)
        await scope.run(sql.FORGET_PREFERENCES, model=self.target)

    async def forget(self, scope: Scope) -> None:
        """All of this model. What stores were filled with is put again from the beginning."""
        await scope.run(sql.FORGET_PASSAGES, model=self.target)
        await scope.run(sql.FORGET_EMBEDDINGS, model=self.target)
        await scope.run(sql.FORGET_PREFERENCES, model=self.target)
        await scope.run(sql.FORGET_FILLING)

    async def handled_late(self, scope: Scope) -> None:
        """Stores are past its rows: they put the venture again from the beginning."""
        await scope.run(sql.FORGET_FILLING)

    async def _read(self, scope: Scope, event: Event) -> Read:
        found: list[SourceChange] = []
        for source in self._sources:
            if event.type in source.handles:
                found += await source.changes(scope, event)
        return Read(event, [Change(one, _texts(one)) for one in found])

    async def _ask(self, scope: Scope, some: Sequence[Read]) -> Asked:
        """For all sources and members that the events are about, as the tables have them."""
        keys = {(change.kind, change.source) for one in some for change, _ in one.changes}
        keys |= {(Kind.CONTENT, one.event.entity) for one in some if one.event.type in ACTS}
        held = {key: Held(*key) for key in sorted(keys)}
        accounts = {one.event.account for one in some if one.event.type in ACTS}
        accounts |= {one.event.entity for one in some if one.event.type in GOING}
        members = sorted(filter(None, accounts))
        return Asked(
            held,
            await scope.queued(
                sql.HELD,
                model=self.target,
                sources=sorted({source for _, source in held}),
                first=[passage_id(source, kind, 0) for kind, source in held],
            )
            if held
            else None,
            {account: Preference(account, 0.0, NEVER, 0, None) for account in members},
            await scope.queued(
                sql.PREFERENCES,
                model=self.target,
                accounts=members,
                ids=[preference_id(scope.venture, account) for account in members],
            )
            if members
            else None,
        )

    async def _fold(self, scope: Scope, some: Sequence[Read], asked: Asked) -> None:
        held = await _held(asked)
        preferences = await _preferences(asked)
        vectors = await self._vectors(some, held)
        for event, changes in some:
            for change, texts in changes:
                held[change.kind, change.source].fold(change, texts, vectors, event.seq, event.at)
            if event.type in GOING:
                preferences[event.entity].forget(event.at, event.seq)
            elif event.type in ACTS and (account := event.account) is not None:
                on = held[Kind.CONTENT, event.entity].vector()
                if on is not None:
                    preferences[account].act(ACTS[event.type], on, event.at, event.seq)
        changed = [one for one in held.values() if one.seq != one.was_seq]
        await self._keep_passages(scope, changed)
        moved = [one for one in preferences.values() if one.seq != one.was_seq]
        await self._keep_embeddings(scope, changed, moved)
        if moved:
            await scope.run(
                sql.PUT_PREFERENCES,
                model=self.target,
                accounts=[one.account for one in moved],
                weights=[one.weight for one in moved],
                at=[one.at for one in moved],
                seqs=[one.seq for one in moved],
            )

    async def _vectors(self, some: Sequence[Read], held: Mapping[Key, Held]) -> dict[str, Vector]:
        """By what they are made of: of all texts that the changes bring, the known ones among them as they are."""
        known = {
            embedded(one.title, number, place.text): place.vector
            for one in held.values()
            for number, place in enumerate(one.places)
        }
        wanted = dict.fromkeys(
            embedded(change.title, number, text)
            for event, changes in some
            for change, texts in changes
            if isinstance(change, PassageChange) and event.seq > held[change.kind, change.source].seq
            for number, text in enumerate(texts)
        )
        new = [made_of for made_of in wanted if made_of not in known]
        if new:
            known.update(zip(new, await self._embedder.embed(new), strict=True))
        return known

    async def _keep_passages(self, scope: Scope, changed: Sequence[Held]) -> None:
        put: list[Row] = []
        marked: list[Row] = []
        dropped: list[UUID] = []
        for one in changed:
            word = mark(scope.venture, self.target, one.kind)
            for number, place in enumerate(one.places):
                identifier = passage_id(one.source, one.kind, number)
                as_stands = (one.number, one.title, one.state, one.seq, one.updated_at)
                if place.was == embedded(one.title, number, place.text):
                    marked.append((identifier, *as_stands))
                else:
                    put.append((identifier, one.kind, one.source, number, place.text, word, *as_stands))
            dropped += [passage_id(one.source, one.kind, number) for number in one.gone]
        for rows in _slices(put):
            ids, kinds, sources, places, texts, marks, numbers, titles, states, seqs, updated_at = _columns(rows)
            await scope.run(
                sql.PUT_PASSAGES,
                model=self.target,
                ids=ids,
                kinds=kinds,
                sources=sources,
                places=places,
                texts=texts,
                marks=marks,
                numbers=numbers,
                titles=titles,
                states=states,
                seqs=seqs,
                updated_at=updated_at,
            )
        for rows in _slices(marked):
            ids, numbers, titles, states, seqs, updated_at = _columns(rows)
            await scope.run(
                sql.MARK_PASSAGES,
                model=self.target,
                ids=ids,
                numbers=numbers,
                titles=titles,
                states=states,
                seqs=seqs,
                updated_at=updated_at,
            )
        if dropped:
            await scope.run(sql.DROP_PASSAGES, model=self.target, ids=dropped)

    async def _keep_embeddings(self, scope: Scope, changed: Sequence[Held], moved: Sequence[Preference]) -> None:
        put: list[tuple[UUID, Kind, UUID, str, int, Vector | None]] = []
        marked: list[Row] = []
        for one in changed:
            for number, place in enumerate(one.places):
                identifier = passage_id(one.source, one.kind, number)
                if place.was != embedded(one.title, number, place.text):
                    put.append((identifier, one.kind, one.source, one.state, place.seq, place.vector))
                elif place.seq != place.was_seq:
                    marked.append((identifier, one.state, place.seq))
            for number, seq in one.gone.items():
                put.append((passage_id(one.source, one.kind, number), one.kind, one.source, "", seq, None))
        for preference in moved:
            identifier = preference_id(scope.venture, preference.account)
            put.append((identifier, Kind.PREFERENCE, preference.account, "", preference.seq, preference.vector))
        for rows in _slices(put):
            ids, kinds, sources, states, seqs, vectors = _columns(rows)
            await scope.run(
                sql.PUT_EMBEDDINGS,
                model=self.target,
                ids=ids,
                kinds=kinds,
                sources=sources,
                states=states,
                seqs=seqs,
                vectors=[None if vector is None else written(vector) for vector in vectors],
            )
        for rows in _slices(marked):
            ids, states, seqs = _columns(rows)
            await scope.run(sql.MARK_EMBEDDINGS, model=self.target, ids=ids, states=states, seqs=seqs)


async def _held(asked: Asked) -> dict[Key, Held]:
    held = asked.held
    if asked.standing is None:
        return held
    for (
        source,
        kind,
        number,
        title,
        text,
        state,
        version,
        seq,
        updated_at,
        vector_seq,
        vector,
    ) in await asked.standing.all():
        if (one := held.get((Kind(kind), source))) is None:
            continue
        one.seq = one.was_seq = seq
        if vector is not None:
            one.title, one.state, one.number, one.updated_at = title, state, version, updated_at
            one.places.append(Place(text, read(vector), vector_seq, embedded(title, number, text), vector_seq))
    return held


async def _preferences(asked: Asked) -> dict[UUID, Preference]:
    found = asked.preferences
    if asked.known is not None:
        for account, weight, at, seq, vector in await asked.known.all():
            found[account] = Preference(account, weight, at, seq, None if vector is None else read(vector), seq)
    return found


def _portions(read: Sequence[Read]) -> Iterator[list[Read]]:
    """In order, with as many texts in each as are folded in one go."""
    portion: list[Read] = []
    characters = 0
    for one in read:
        if portion and characters + one.characters > MOST_CHARACTERS:
            yield portion
            portion, characters = [], 0
        portion.append(one)
        characters += one.characters
    if portion:
        yield portion


def _texts(change: SourceChange) -> list[str]:
    return split(change.text).texts if isinstance(change, PassageChange) else []


def _slices(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (rows[at : at + ROWS] for at in range(0, len(rows), ROWS))


def _columns(rows: Iterable[Row]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
