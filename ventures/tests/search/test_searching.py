"""Searching one venture: what is found, in which order, by whom it was answered, and what is never found."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outgrow.routing import PLACE
from ventures.content import api as content
from ventures.database.pool import Database
from ventures.database.roles import Addresses
from ventures.errors import NotFound, Unavailable
from ventures.identifiers import new_id
from ventures.search import routes, searching
from ventures.search.api import (
    Passage,
    Results,
    Wanted,
    depth_for,
    passages_near,
    search,
    told,
    understood,
)
from ventures.search.snippets import BEGIN, END
from ventures.testing.notifications import Stage, staged
from ventures.testing.search_index import Library, WordsEmbedder
from ventures.vectors.api import ALL, Kind, Only

TEXTS = {
    "Oolong": "A partly oxidised tea from the mountains of Fujian.",
    "Sencha": "A steamed green tea, grassy and bright.",
    "Kettle": "Boil the water, wait a minute, then pour it over green leaves.",
    "Opening": "The shop opens on Monday with free samples for our neighbours.",
}


@dataclass
class Shelf:
    """A venture with items by title, and what they are searched with."""

    stage: Stage
    library: Library
    items: dict[str, UUID]

    @property
    def venture(self) -> UUID:
        return self.stage.venture

    async def add(self, title: str, body: str) -> UUID:
        done = await self.stage.do(self.stage.author, content.DraftItem(title=title, body=body))
        self.items[title] = done.entity
        return done.entity

    async def fill(self) -> None:
        await self.library.fill(self.venture)

    async def search(self, text: str, only: Only = ALL, kind: Kind = Kind.CONTENT, **options: Any) -> Results:
        async with self.stage.database.reading(self.venture) as scope:
            return await search(
                scope, self.library.finder, await understood(self.library.finder, Wanted(text, kind, only)), **options
            )

    async def titles(self, text: str, only: Only = ALL, **options: Any) -> list[str]:
        return [hit.title for hit in (await self.search(text, only, **options)).hits]


async def shelved(database: Database, texts: dict[str, str] = TEXTS) -> Shelf:
    stage = await staged(database)
    shelf = Shelf(stage, Library(database, stage.spine.registry, stage.watch), {})
    for title, body in texts.items():
        await shelf.add(title, body)
    await shelf.fill()
    return shelf


async def test_a_hit_says_what_was_found_where_and_why(database: Database) -> None:
    shelf = await shelved(database)
    found = await shelf.search("green tea", explain=True)
    first, second, *_ = found.hits
    assert (first.title, first.item, first.venture) == ("Sencha", shelf.items["Sencha"], shelf.venture)
    assert (first.state, first.number) == ("draft", 1)
    assert first.snippet == "A steamed «green» «tea», grassy and bright."
    assert first.reason is not None
    assert (first.reason.keyword_rank, first.reason.vector_rank) == (1, 1)
    assert first.reason.words == ("green", "tea")
    assert first.reason.fused == pytest.approx(2 / 61)
    assert second.reason is not None
    assert second.reason.keyword_rank is None  # it has one of the words
    assert second.reason.similarity is not None
    assert (found.answered_by, found.because) == ("index", None)
    assert found.as_of == found.head > 0
    assert all(hit.reason is None for hit in (await shelf.search("green tea")).hits)
    assert [(store, by) for store, by, _ in shelf.library.observed] == [("memory", "index")] * 2


async def test_an_item_is_found_once_by_its_best_passage(database: Database) -> None:
    shelf = await shelved(database, {"Long": "\n\n".join(f"Oolong paragraph {n}. " + "leaf " * 100 for n in range(9))})
    await shelf.add("Short", "Oolong, in a word.")
    await shelf.fill()
    assert sorted(await shelf.titles("oolong paragraph")) == ["Long", "Short"]
    async with shelf.stage.database.reading(shelf.venture) as scope:
        near = await passages_near(scope, shelf.library.finder, "oolong paragraph", limit=4)
    assert len(near) == 4
    assert len({one.id for one in near}) == 4
    assert sum(one.item == shelf.items["Long"] for one in near) >= 3
    assert all(isinstance(one, Passage) and "Oolong" in one.text and one.number == 1 for one in near)


async def test_it_is_narrowed_by_state_and_item(database: Database) -> None:
    shelf = await shelved(database)
    sencha = shelf.items["Sencha"]
    await shelf.stage.do(shelf.stage.author, content.SubmitItem(item=sencha, version=1))
    await shelf.fill()
    assert await shelf.titles("tea", Only(states=("pending",))) == ["Sencha"]
    assert "Sencha" not in await shelf.titles("tea", Only(states=("draft", "approved")))
    assert await shelf.titles("tea", Only(sources=(shelf.items["Oolong"],))) == ["Oolong"]
    assert await shelf.titles("tea", Only(states=("approved",))) == []
    assert (await shelf.search("tea", kind=Kind.CONTEXT)).hits == []


async def test_what_is_not_wanted_is_not_found_by_its_meaning_either(database: Database) -> None:
    shelf = await shelved(database)
    assert {"Sencha", "Kettle"} <= set(await shelf.titles("tea green"))
    assert not {"Sencha", "Kettle"} & set(await shelf.titles("tea -green"))
    assert await shelf.titles('"green leaves"') == ["Kettle"]
    assert await shelf.titles('tea "green leaves"') == ["Kettle"]
    assert "Kettle" not in await shelf.titles('water -"green leaves"')


async def test_without_a_word_nothing_is_looked_for(database: Database) -> None:
    shelf = await shelved(database)
    for text in ("   ", "\u00a0\t", '- " | & !', "-green", "🍵", "<->", "\u202e", '"" ""', "-", "!!"):
        found = await shelf.search(text)
        assert (found.hits, found.more, found.answered_by) == ([], False, "keywords")
        assert found.because == "There is no word to look for in this query."


HOSTILE = (
    "a" * 1_000, '"' * 999 + "a", "-" * 500 + "tea", "tea " * 250, "(" * 100 + "a", "'); DROP TABLE item; --",
    "a\\", "a:*", "a & b | !c <-> d", "\\u0000 tea", "שלום tea", "te\u0301a", "the of and", '"the of"', "-the tea",
    "%s %(venture)s", "\ud83c tea", "a'b\"c", "or or or", "tea or -green", "\ue000tea\ue001", "\x01", "\x7f tea",
    "\ufffe", "a" + "\u0300" * 50, "İ", "ﬁ", "𝔱𝔢𝔞",
)  # fmt: skip


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.text(st.characters(blacklist_characters="\0"), max_size=200), min_size=15, max_size=15))
async def test_whatever_is_typed_is_answered(database: Database, texts: list[str]) -> None:
    shelf = await shelved(database)
    for text in [*HOSTILE, *texts]:
        await shelf.search(text, explain=True)


async def test_pages_neither_repeat_nor_skip(database: Database) -> None:
    shelf = await shelved(database, {f"Tea {n}": f"Number {n} of our teas, {'green ' * (n % 7)}." for n in range(23)})
    whole = [hit.item for hit in (await shelf.search("green teas", limit=100)).hits]
    assert len(whole) == len(set(whole)) == 23
    pages: list[UUID] = []
    for offset in range(0, 23, 5):
        found = await shelf.search("green teas", offset=offset, limit=5)
        pages += [hit.item for hit in found.hits]
        assert found.more == (offset + 5 < 23)
    assert pages == whole


async def test_a_first_page_is_searched_less_deep_and_is_the_beginning_of_the_same_order(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "FIRST", 6)
    monkeypatch.setattr(searching, "FEW_HITS", 5)
    shelf = await shelved(database, {f"Tea {n}": f"Number {n} of our teas, {'green ' * (n % 7)}." for n in range(23)})
    deep = await shelf.search("green teas", limit=100)
    assert len(deep.hits) == 23
    asked = shelf.library.index.asked
    for limit, depths in ((3, [6]), (6, [100]), (5, [6])):
        asked.clear()
        found = await shelf.search("green teas", limit=limit, explain=True)
        assert ([hit.item for hit in found.hits], found.more) == ([hit.item for hit in deep.hits[:limit]], True)
        assert [depth for *_, depth, _ in asked] == depths
    await shelf.add("Long", "\n\n".join(f"Green teas {n}. " + "green teas " * 60 for n in range(12)))
    await shelf.fill()
    asked.clear()
    found = await shelf.search("green teas", limit=5)
    assert ([depth for *_, depth, _ in asked], len(found.hits), found.more) == ([6, 100], 5, True)  # few items in 6


async def test_marks_in_a_text_are_none(database: Database) -> None:
    shelf = await shelved(database, {"Mine": f"{BEGIN}Oolong{END} \ue000 tea and {BEGIN}", "Other": "Tea."})
    found = {hit.title: hit for hit in (await shelf.search("tea", explain=True)).hits}
    assert found["Mine"].snippet == "Oolong \ue000 «tea» and"
    assert found["Mine"].reason is not None
    assert found["Mine"].reason.words == ("tea",)


async def test_an_index_that_cannot_answer_is_stood_in_for(database: Database) -> None:
    shelf = await shelved(database)
    by_index = await shelf.search("green tea", explain=True)
    shelf.library.index.away = "It is being filled: 3 of 12 events."
    exact = await shelf.search("green tea", explain=True)
    assert (exact.answered_by, exact.because) == ("exact", "It is being filled: 3 of 12 events.")
    assert [hit.passage for hit in exact.hits] == [hit.passage for hit in by_index.hits]
    assert exact.as_of == exact.head
    assert shelf.library.observed[-1][:2] == ("memory", "exact")


async def test_an_index_that_is_behind_is_stood_in_for(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "BEHIND_EVENTS", 3)
    shelf = await shelved(database)
    known = shelf.library.index.positions[shelf.venture]
    await shelf.add("New", "A tea that the index does not know.")
    await shelf.library.read()
    found = await shelf.search("index know")
    assert (found.answered_by, found.as_of, found.head) == ("index", known, known + 1)
    assert "New" in [hit.title for hit in found.hits]  # by its words
    shelf.stage.watch.move(timedelta(seconds=routes.BEHIND_SECONDS + 1).total_seconds())
    late = await shelf.search("index know")
    assert (late.answered_by, late.as_of) == ("exact", known + 1)
    assert late.because == "The index is 1 event behind; it catches up by itself."
    await shelf.fill()
    assert (await shelf.search("index know")).answered_by == "index"
    for number in range(4):
        await shelf.add(f"More {number}", "Tea.")
    await shelf.library.read()
    many = await shelf.search("index know")
    assert (many.answered_by, many.because) == ("exact", "The index is 4 events behind; it catches up by itself.")


async def test_passages_that_are_behind_the_log_are_said_to_be(database: Database) -> None:
    shelf = await shelved(database)
    before = (await shelf.search("tea")).head
    await shelf.add("New", "A tea nobody read yet.")
    found = await shelf.search("nobody read yet")
    assert (found.as_of, found.head, found.answered_by) == (before, before + 1, "index")
    assert "New" not in [hit.title for hit in found.hits]


async def test_what_an_index_still_holds_is_not_shown_when_it_is_gone_or_another_venture_s(database: Database) -> None:
    shelf, other = await shelved(database), await shelved(database)
    async with other.stage.database.reading(other.venture) as scope:
        theirs = await passages_near(scope, other.library.finder, "tea", limit=4)
    shelf.library.index.foreign = tuple(one.id for one in theirs)
    version = (await shelf.stage.item(shelf.items["Sencha"])).version
    await shelf.stage.do(shelf.stage.manager, content.DeleteItem(item=shelf.items["Sencha"], version=version))
    await shelf.library.read()
    hits = (await shelf.search("green tea")).hits
    assert hits
    assert {hit.item for hit in hits} <= set(shelf.items.values()) - {shelf.items["Sencha"]}


async def test_words_alone_count_while_no_vector_can_be_made(database: Database) -> None:
    shelf = await shelved(database)
    assert isinstance(shelf.library.embedder, WordsEmbedder)
    shelf.library.embedder.down = Unavailable("The embedding endpoint does not answer.")
    found = await shelf.search("green tea", explain=True)
    assert [hit.title for hit in found.hits] == ["Sencha"]
    assert (found.answered_by, found.because) == ("keywords", "The embedding endpoint does not answer.")


async def test_a_venture_is_asked_for_where_its_route_says(database: Database, database_addresses: Addresses) -> None:
    shelf = await shelved(database)

    def placed(store: str) -> None:
        with psycopg.connect(database_addresses.owner) as session:
            session.execute(PLACE, {"point": routes.POINT, "tenant": str(shelf.venture), "store": store})

    await shelf.search("tea")
    assert shelf.library.index.asked[-1][0] == routes.Route("memory", 0)
    placed("per-venture")
    await shelf.search("tea")
    assert shelf.library.index.asked[-1][0] == routes.Route("per-venture", 1)
    placed("pgvector")
    shelf.library.index.foreign = (new_id(),)  # what is asked where the venture was last does not count
    found = await shelf.search("green tea")
    asked = len(shelf.library.index.asked)
    assert (found.answered_by, found.because) == ("exact", None)
    assert await shelf.titles("green tea") == [hit.title for hit in found.hits] != []
    assert len(shelf.library.index.asked) == asked
    assert shelf.library.observed[-1][:2] == ("pgvector", "exact")


async def test_there_is_no_search_in_a_venture_that_is_not(database: Database) -> None:
    shelf = await shelved(database)
    with pytest.raises(NotFound):
        async with database.reading(new_id()) as scope:
            await search(scope, shelf.library.finder, await understood(shelf.library.finder, Wanted("tea")))


async def test_a_venture_without_anything_is_searched(database: Database) -> None:
    stage = await staged(database)
    shelf = Shelf(stage, Library(database, stage.spine.registry, stage.watch), {})
    found = await shelf.search("tea")
    assert (found.hits, found.answered_by, found.as_of) == ([], "exact", 0)
    assert found.head > 0


async def test_what_the_index_told_ahead_is_not_asked_for_again(database: Database) -> None:
    shelf = await shelved(database)
    finder, index = shelf.library.finder, shelf.library.index
    asked = await understood(finder, Wanted("tea"))
    ahead = await told(finder, shelf.venture, asked, depth_for(0, 20))
    before = len(index.asked)
    async with database.reading(shelf.venture) as scope:
        found = await search(scope, finder, asked, ahead)
    assert len(index.asked) == before
    assert found.hits == (await shelf.search("tea")).hits
    assert found.hits
    assert found.answered_by == "index"
