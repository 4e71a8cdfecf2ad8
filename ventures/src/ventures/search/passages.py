"""The consumer that makes passages, their vectors and preferences out of the log, for one embedding model.

What stands in the tables depends on the events alone and not on how many of them a turn took: a turn's events are
folded one after the other in memory, after all their texts were made vectors of together.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from ventures.database.scope import Scope
from ventures.log.api import Event
from ventures.search import sql
from ventures.search.embedding import Embedder, read, written
from ventures.search.folding import NEVER, Held, Place
from ventures.search.keywords import mark
from ventures.search.ports import Source
from ventures.search.preferences import ACTS, GOING, Preference, preference_id
from ventures.search.records import PassageChange, SourceChange
from ventures.search.splitting import embedded, passage_id, split
from ventures.vectors.api import Kind, Vector

NAME: Final = "passages"
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


class Passages:
    """Makes all that is searched of a venture for the embedder's model; another model is another target, filled beside
    it, with rows of its own. It may wait for an endpoint, and so takes turns of its own.
    """

    apart = True

    def __init__(self, embedder: Embedder, sources: Sequence[Source]) -> None:
        self.name = NAME
        self.target = embedder.model
        of_sources = frozenset[str]().union(*(source.handles for source in sources))
        self.handles: frozenset[str] | None = of_sources | ACTS.keys() | GOING
        self._embedder = embedder
        self._sources = tuple(sources)

    async def handle(self, scope: Scope, event: Event) -> None:
        await self.handle_all(scope, [event])

    async def handle_all(self, scope: Scope, events: Sequence[Event]) -> None:
        for some in _portions([await self._read(scope, event) for event in events]):
            await self._fold(scope, some)

    async def forget(self, scope: Scope) -> None:
        """All of this model. What stores were filled with is put again from the beginning."""
        await scope.run(sql.FORGET_PASSAGES, model=self.target)
        await scope.run(sql.FORGET_EMBEDDINGS, model=self.target)
        await scope.run(sql.FORGET_PREFERENCES, model=self.target)
        await scope.run(sql.FORGET_FILLING)

    async def _read(self, scope: Scope, event: Event) -> Read:
        found: list[SourceChange] = []
        for source in self._sources:
            if event.type in source.handles:
                found += await source.changes(scope, event)
        return Read(event, [Change(one, _texts(one)) for one in found])

    async def _fold(self, scope: Scope, some: Sequence[Read]) -> None:
        held = await self._held(scope, some)
        vectors = await self._vectors(some, held)
        preferences = await self._preferences(scope, some)
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
            await scope.changed(
                sql.PUT_PREFERENCES,
                model=self.target,
                accounts=[one.account for one in moved],
                weights=[one.weight for one in moved],
                at=[one.at for one in moved],
                seqs=[one.seq for one in moved],
            )

    async def _held(self, scope: Scope, some: Sequence[Read]) -> dict[Key, Held]:
        """All sources that the events are about, as the tables have them."""
        keys = {(change.kind, change.source) for one in some for change, _ in one.changes}
        keys |= {(Kind.CONTENT, one.event.entity) for one in some if one.event.type in ACTS}
        held = {key: Held(*key) for key in sorted(keys)}
        if not held:
            return held
        first = {passage_id(source, kind, 0): (kind, source) for kind, source in held}
        gone = await scope.queued(sql.GONE, model=self.target, ids=list(first))
        present = await scope.queued(sql.PRESENT, model=self.target, sources=sorted({source for _, source in held}))
        for identifier, seq in await gone.all():
            one = held[first[identifier]]
            one.seq = one.was_seq = seq
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
        ) in await present.all():
            if (known := held.get((Kind(kind), source))) is not None:
                known.title, known.state, known.number, known.updated_at = title, state, version, updated_at
                known.seq = known.was_seq = seq
                known.places.append(Place(text, read(vector), vector_seq, embedded(title, number, text), vector_seq))
        return held

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

    async def _preferences(self, scope: Scope, some: Sequence[Read]) -> dict[UUID, Preference]:
        accounts = {one.event.account for one in some if one.event.type in ACTS}
        accounts |= {one.event.entity for one in some if one.event.type in GOING}
        found = {account: Preference(account, 0.0, NEVER, 0, None) for account in sorted(filter(None, accounts))}
        if found:
            ids = [preference_id(scope.venture, account) for account in found]
            for account, weight, at, seq, vector in await scope.all(
                sql.PREFERENCES, model=self.target, accounts=list(found), ids=ids
            ):
                found[account] = Preference(account, weight, at, seq, None if vector is None else read(vector), seq)
        return found

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
            await scope.changed(
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
            await scope.changed(
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
            await scope.changed(sql.DROP_PASSAGES, model=self.target, ids=dropped)

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
            await scope.changed(
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
            await scope.changed(sql.MARK_EMBEDDINGS, model=self.target, ids=ids, states=states, seqs=seqs)


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
