"""Search over HTTP: who may, what it says, pages, all of a person's ventures."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from ventures.content import api as content
from ventures.database.roles import Addresses
from ventures.http import search as search_routes
from ventures.log.api import Actor, Runner
from ventures.tenancy import api as tenancy
from ventures.testing.api import Api, Caller, Person, api
from ventures.testing.search_index import Library


@dataclass
class Place:
    """The API with a library beside it."""

    api: Api
    library: Library

    async def venture(self, who: Person, *titles: str) -> UUID:
        """A new one with an item a title."""
        venture = await who.found()
        for title in titles:
            command = content.DraftItem(title=title, body=f"{title} is a tea.")
            await self.api.platform.spine.append(venture, command, actor=Actor(account=who.account))
        await self.fill(venture)
        return venture

    async def fill(self, *ventures: UUID) -> None:
        platform = self.api.platform
        directory = [consumer for consumer in platform.consumers if consumer.name == "directory"]
        await Runner(platform.database, platform.registry, directory, now=platform.now).caught_up()
        await self.library.fill(*ventures)


@asynccontextmanager
async def searchable(addresses: Addresses) -> AsyncIterator[Place]:
    async with api(addresses) as running:
        platform = running.platform
        library = Library(platform.database, platform.registry, platform.now)
        running.app.state.platform = replace(platform, finder=library.finder)
        yield Place(running, library)


async def asked(who: Caller, path: str, **params: Any) -> Any:
    answer = await who.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_member_finds_and_nobody_else_learns_anything(database_addresses: Addresses) -> None:
    async with searchable(database_addresses) as place:
        ada, eve = await place.api.person("Ada"), await place.api.person("Eve")
        venture = await place.venture(ada, "Oolong", "Sencha")
        viewer = await place.api.member(venture, "viewer")
        path = f"/v1/ventures/{venture}/search"
        found = await asked(viewer, path, q="sencha tea", explain="true")
        assert [hit["title"] for hit in found["items"]] == ["Sencha", "Oolong"]
        assert found["items"][0]["snippet"] == "«Sencha» is a «tea»."
        assert found["items"][0]["reason"]["keyword_rank"] == 1
        assert (found["answered_by"], found["because"], found["next"]) == ("index", None, None)
        robot = await ada.with_key({"search:view"}, venture)
        assert len((await asked(robot, path, q="tea"))["items"]) == 2
        poor = await ada.with_key({"content:view"}, venture)
        item = found["items"][0]["item"]
        for url in (path, f"/v1/ventures/{venture}/recommendations", f"/v1/ventures/{venture}/items/{item}/readers"):
            answers = [(await who.get(url, params={"q": "tea"})).status_code for who in (eve, poor, place.api.nobody)]
            assert answers == [404, 403, 401]
        assert (await ada.get(f"/v1/ventures/{uuid4()}/search", params={"q": "tea"})).status_code == 404
        await place.library.sampler.idle()


REFUSED: tuple[dict[str, Any], ...] = (
    {},
    {"q": ""},
    {"q": "x" * 1_001},
    {"q": "tea", "limit": 101},
    {"q": "tea", "limit": 0},
    {"q": "tea", "state": "mouldy"},
    {"q": "tea", "item": "x"},
    {"q": "tea", "item": [str(uuid4())] * 101},
    {"q": "tea", "kind": "preference"},
    {"q": "tea", "cursor": "x"},
    {"q": "tea\0"},
    {"q": "tea", "explain": "perhaps"},
)


async def test_what_is_no_search_is_refused(database_addresses: Addresses) -> None:
    async with searchable(database_addresses) as place:
        ada = await place.api.person("Ada")
        venture = await ada.found()
        asked = [(f"/v1/ventures/{venture}/search", params) for params in REFUSED]
        asked += [("/v1/search", params) for params in REFUSED if not {"item", "kind"} & params.keys()]
        for path, params in asked:
            answer = await ada.get(path, params=params)
            assert answer.status_code in (400, 422), (params, answer.text)
            assert answer.headers["Content-Type"] == "application/problem+json"


async def test_a_query_without_a_word_finds_nothing_and_says_so(database_addresses: Addresses) -> None:
    async with searchable(database_addresses) as place:
        ada = await place.api.person("Ada")
        venture = await place.venture(ada, "Oolong")
        for text in ("  ", "\t\n", '"- | &', "-tea", "🍵", "\x01"):
            found = await asked(ada, f"/v1/ventures/{venture}/search", q=text)
            assert (found["items"], found["next"]) == ([], None)
            assert found["because"] == "There is no word to look for in this query."
            assert (await asked(ada, "/v1/search", q=text))["items"] == []


async def test_pages_follow_each_other_and_a_cursor_is_of_one_search(database_addresses: Addresses) -> None:
    async with searchable(database_addresses) as place:
        ada = await place.api.person("Ada")
        venture = await place.venture(ada, *(f"Tea {n}" for n in range(11)))
        for path in (f"/v1/ventures/{venture}/search", "/v1/search"):
            whole = [hit["item"] for hit in (await asked(ada, path, q="a tea", limit=100))["items"]]
            pages, cursor = list[str](), None
            for _ in range(4):
                found = await asked(ada, path, q="a tea", limit=3, **({"cursor": cursor} if cursor else {}))
                pages += [hit["item"] for hit in found["items"]]
                first, cursor = cursor or found["next"], found["next"]
            assert (pages, cursor) == (whole, None)
            assert len(set(pages)) == 11
            for other in ({"q": "another tea"}, {"q": "a tea", "state": "draft"}):
                answer = await ada.get(path, params={**other, "cursor": first})
                assert answer.status_code == 422
                assert answer.json()["errors"] == {"cursor": "of another search"}


async def test_it_is_narrowed_by_several_states_and_items(database_addresses: Addresses) -> None:
    async with searchable(database_addresses) as place:
        ada = await place.api.person("Ada")
        venture = await place.venture(ada, "Oolong", "Sencha", "Assam")
        path = f"/v1/ventures/{venture}/search"
        hits = (await asked(ada, path, q="tea", state=["draft", "approved"]))["items"]
        assert len(hits) == 3
        assert (await asked(ada, path, q="tea", state="approved"))["items"] == []
        two = [hit["item"] for hit in hits[:2]]
        assert {hit["item"] for hit in (await asked(ada, path, q="tea", item=two))["items"]} == set(two)


async def test_the_answer_says_that_it_was_not_the_index(database_addresses: Addresses) -> None:
    async with searchable(database_addresses) as place:
        ada = await place.api.person("Ada")
        venture = await place.venture(ada, "Oolong")
        place.library.index.away = "The index is being rebuilt."
        found = await asked(ada, f"/v1/ventures/{venture}/search", q="tea")
        assert (found["answered_by"], found["because"]) == ("exact", "The index is being rebuilt.")
        assert found["as_of"] == found["head"]
        everywhere = await asked(ada, "/v1/search", q="tea")
        assert (everywhere["exactly"], everywhere["because"]) == (1, ["The index is being rebuilt."])
        assert len(everywhere["items"]) == 1


async def test_all_of_a_person_s_ventures_and_no_other_are_searched(database_addresses: Addresses) -> None:
    async with searchable(database_addresses) as place:
        ada, eve = await place.api.person("Ada"), await place.api.person("Eve")
        ours = [await place.venture(ada, "Oolong", "Ceylon black"), await place.venture(ada, "Sencha")]
        theirs = await place.venture(eve, "Sencha of hers")
        await place.fill(*ours, theirs)
        found = await asked(ada, "/v1/search", q="sencha", explain="true")
        assert found["items"][0]["title"] == "Sencha"
        assert {UUID(hit["venture"]) for hit in found["items"]} == set(ours)
        assert (found["ventures"], found["more_ventures"], found["exactly"], found["behind"]) == (2, False, 0, 0)
        assert [hit["title"] for hit in (await asked(ada, "/v1/search", q='"ceylon black"'))["items"]] == [
            "Ceylon black"
        ]
        key = await ada.with_key({"search:view"}, ours[0])
        assert {hit["venture"] for hit in (await asked(key, "/v1/search", q="tea"))["items"]} == {str(ours[0])}
        poor = await ada.with_key({"content:view"})
        assert (await poor.get("/v1/search", params={"q": "tea"})).status_code == 403
        assert (await place.api.nobody.get("/v1/search", params={"q": "tea"})).status_code == 401


async def test_more_ventures_than_are_searched_are_said(
    database_addresses: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_routes, "MOST_VENTURES", 1)
    async with searchable(database_addresses) as place:
        ada = await place.api.person("Ada")
        ventures = [await place.venture(ada, f"Tea {n}") for n in range(3)]
        await place.fill(*ventures)
        found = await asked(ada, "/v1/search", q="tea")
        assert (found["ventures"], found["more_ventures"], len(found["items"])) == (1, True, 1)
        key = await ada.with_key({"search:view"}, max(ventures))  # the last in the directory's order
        found = await asked(key, "/v1/search", q="tea")
        assert (found["ventures"], found["more_ventures"], len(found["items"])) == (1, False, 1)


async def test_a_membership_that_ends_meanwhile_shows_nothing(database_addresses: Addresses) -> None:
    async with searchable(database_addresses) as place:
        ada, bob = await place.api.person("Ada"), await place.api.person("Bob")
        hers, his = await place.venture(ada, "Oolong"), await place.venture(bob, "Sencha")
        await place.api.join(bob, hers, "viewer")
        await place.fill(hers, his)
        assert len((await asked(bob, "/v1/search", q="tea"))["items"]) == 2
        index, platform = place.library.index, place.api.platform
        answer = index.search

        async def leaving(*arguments: Any, **options: Any) -> Any:
            """Once the index is asked, the person is removed; what is shown is read after that."""
            if platform.now and arguments[1] == hers and not left:
                left.append(True)
                async with platform.database.reading(hers) as scope:
                    version = (await tenancy.member(scope, bob.account)).version
                command = tenancy.RemoveMember(account=bob.account, version=version)
                await platform.spine.append(hers, command, actor=Actor(account=ada.account))
            return await answer(*arguments, **options)

        left: list[bool] = []
        index.search = leaving  # type: ignore[method-assign]
        found = await asked(bob, "/v1/search", q="tea")
        assert left
        assert [hit["title"] for hit in found["items"]] == ["Sencha"]
        assert (await asked(bob, "/v1/search", q="tea"))["ventures"] == 1  # the directory has not heard of it yet


async def test_recommendations_and_readers(database_addresses: Addresses) -> None:
    async with searchable(database_addresses) as place:
        ada = await place.api.person("Ada")
        venture = await place.venture(ada, "Oolong", "Sencha")
        bob = await place.api.member(venture, "approver")
        command = content.DraftItem(title="Assam", body="Assam is a tea.")
        await place.api.platform.spine.append(venture, command, actor=Actor(account=bob.account))
        await place.fill(venture)
        found = await asked(bob, f"/v1/ventures/{venture}/recommendations", limit=1)
        assert len(found["items"]) == 1
        assert found["answered_by"] == "index"
        item = found["items"][0]["item"]
        readers = (await asked(ada, f"/v1/ventures/{venture}/items/{item}/readers"))["items"]
        assert [(one["account"], one["role"], one["approves"]) for one in readers] == [
            (str(bob.account), "approver", True)
        ]
        missing = await ada.get(f"/v1/ventures/{venture}/items/{uuid4()}/readers")
        assert missing.status_code == 404
