"""A draft's way over HTTP: asked for, written from the venture's own text, accepted; and its ways to fail."""

from typing import Any
from uuid import UUID

import pytest

from ventures.database.roles import Addresses
from ventures.generation import drafting as drafting_module
from ventures.generation.api import PATTERNS, Passage
from ventures.generation.commands import MOST_RUNNING
from ventures.generation.model import SENTENCES, Times
from ventures.generation.prompts import PROMPT
from ventures.generation.writing import REMARK
from ventures.testing.api import Person
from ventures.testing.generation import DraftingApi, drafting_api, finished
from ventures.testing.language_model import Misdeed, language_model

OOLONG = "Oolong is oxidised by half.\n\nMost oolong grows on Taiwan. Its leaves are rolled by hand."
ASSAM = "Assam is a strong black tea.\n\nIt grows in the valley of the Brahmaputra in India."
SECRET = "The secret margin of the rival is forty percent."
FAILS: tuple[Misdeed, ...] = (
    "cuts_off_midway",
    "ends_without_end",
    "garbage",
    "broken_json",
    "empty",
    "filtered",
    "too_long",
    "unauthorised",
    "rate_limited_for_long",
    "error_in_stream",
    "html",
    "endless",
)


async def furnished(person: Person, *bodies: str) -> tuple[UUID, list[str]]:
    """A venture with items; (its id, theirs)."""
    venture = await person.found()
    made = []
    for body in bodies:
        answer = await person.post(f"/v1/ventures/{venture}/items", {"title": body.split()[0], "body": body})
        assert answer.status_code == 201, answer.text
        made.append(answer.json()["id"])
    return venture, made


async def used(at: DraftingApi, venture: UUID) -> int:
    """Drafts counted on the plan."""
    await at.caught_up()
    return (await at.platform.billing.allowance(venture, "drafts", at.platform.now())).used


def drafts(venture: UUID) -> str:
    return f"/v1/ventures/{venture}/drafts"


async def test_a_draft_is_asked_for_written_cited_and_accepted(database_addresses: Addresses) -> None:
    async with language_model() as server, drafting_api(database_addresses, server) as at:
        owner = await at.person()
        venture, (oolong, _) = await furnished(owner, OOLONG, ASSAM)
        author = await at.member(venture, "author")
        server.says = "# Oolong\n\nHalf oxidised [1], hand-rolled [2]. It cures everything [9]."
        asked = await author.post(drafts(venture), {"instruction": "Announce our oolong from Taiwan", "passages": 2})
        assert asked.status_code == 201, asked.text
        assert (asked.json()["state"], asked.headers["ETag"]) == ("running", '"1"')

        draft = await finished(author, asked)
        assert draft["text"] == "# Oolong\n\nHalf oxidised [1], hand-rolled [2]. It cures everything."
        assert (draft["state"], draft["unsupported"], draft["model"], draft["prompt"]) == (
            "finished",
            1,
            "stub",
            PROMPT,
        )
        assert (draft["prompt_tokens"], draft["completion_tokens"], draft["extractive"]) == (11, 7, False)
        assert [(one["mark"], one["item"], one["number"]) for one in draft["citations"]] == [
            (1, oolong, 1),
            (2, oolong, 1),
        ]
        place = asked.headers["Location"]
        assert (await author.post(f"{place}/accept")).status_code == 428
        item = await author.post(f"{place}/accept", {}, if_match=2, key="accept")
        assert (item.status_code, item.json()["title"], item.json()["state"]) == (201, "Oolong", "draft"), item.text
        assert item.json()["body"] == "# Oolong\n\nHalf oxidised, hand-rolled. It cures everything."
        assert (await author.get(item.headers["Location"])).json() == item.json()
        assert (await author.get(place)).json()["accepted_item"] == item.json()["id"]
        assert await used(at, venture) == 1
        assert await at.replays(venture)


async def test_the_prompt_holds_the_venture_s_own_text_and_nobody_else_s(database_addresses: Addresses) -> None:
    async with language_model() as server, drafting_api(database_addresses, server) as at:
        ada, eve = await at.person("Ada"), await at.person("Eve")
        venture, (oolong,) = await furnished(ada, OOLONG)
        other, (rival,) = await furnished(eve, f"{SECRET} About oolong from Taiwan.")
        for person, where, text in ((ada, venture, "Plain words only."), (eve, other, SECRET)):
            note = await person.post(f"/v1/ventures/{where}/context-notes", {"title": "Voice", "text": text})
            assert note.status_code == 201, note.text
        at.passages.planted.append(Passage(UUID(int=9), UUID(rival), "Rival", SECRET, 1))
        body = {"instruction": "Announce our oolong from Taiwan", "item": oolong, "format": "press-release"}
        draft = await finished(ada, await ada.post(drafts(venture), body))
        assert draft["state"] == "finished", draft
        (prompt,) = server.prompts
        assert SECRET not in prompt
        for told in (
            "Plain words only.",
            "Most oolong grows on Taiwan",
            PATTERNS["press-release"].text,
            "<item title=",
        ):
            assert told in prompt
        assert prompt.index("Plain words only.") < prompt.index('<passage n="1"')
        assert draft["pattern"] == draft["format"] == "press-release"


async def test_notes_that_are_too_long_together_are_told_by_their_nearest_passages(
    database_addresses: Addresses,
) -> None:
    async with language_model() as server, drafting_api(database_addresses, server) as at:
        ada = await at.person()
        venture, _ = await furnished(ada, OOLONG)
        filling = "\n\n".join(f"Something else entirely, number {number}." for number in range(400))
        for text in (filling, "Oolong is never called blue tea."):
            note = await ada.post(f"/v1/ventures/{venture}/context-notes", {"title": "Facts", "text": text})
            assert note.status_code == 201, note.text
        assert (await finished(ada, await ada.post(drafts(venture), {"instruction": "About Oolong"})))["text"]
        without = {"instruction": "About Oolong", "notes": False, "passages": 0}
        assert (await finished(ada, await ada.post(drafts(venture), without)))["unsupported"] == 1
        told, untold = server.prompts
        assert "never called blue tea" in told
        assert told.count("number") < 50
        assert "<note title" not in untold
        assert "<passage n" not in untold


async def test_what_the_model_does_wrong_is_a_state_is_not_counted_and_can_be_asked_again(
    database_addresses: Addresses,
) -> None:
    async with language_model() as server, drafting_api(database_addresses, server) as at:
        ada = await at.person()
        venture, _ = await furnished(ada, OOLONG)
        reasons = set()
        for misdeed in FAILS:
            server.misdeeds.append(misdeed)
            draft = await finished(ada, await ada.post(drafts(venture), {"instruction": "About oolong"}))
            assert (draft["state"], draft["text"], draft["citations"]) == ("failed", "", []), misdeed
            assert draft["problem"] == SENTENCES[draft["reason"]]
            reasons.add(draft["reason"])
        assert len(reasons) >= 10
        assert await used(at, venture) == 0
        assert (await finished(ada, await ada.post(drafts(venture), {"instruction": "About oolong"})))["text"]
        assert await used(at, venture) == 1
        failed = (await ada.get(drafts(venture), params={"state": "failed", "limit": 200})).json()["items"]
        assert len(failed) == len(FAILS)
        assert await at.replays(venture)


async def test_a_model_that_hangs_is_given_up_and_a_search_that_fails_is_said(database_addresses: Addresses) -> None:
    impatient = Times(first_seconds=0.2)
    async with language_model() as server, drafting_api(database_addresses, server, impatient) as at:
        ada = await at.person()
        venture, _ = await furnished(ada, OOLONG)
        server.misdeeds.append("hangs")
        draft = await finished(ada, await ada.post(drafts(venture), {"instruction": "About oolong"}))
        assert (draft["state"], draft["reason"]) == ("failed", "hung")
        at.passages.broken = True
        draft = await finished(ada, await ada.post(drafts(venture), {"instruction": "About oolong"}))
        assert (draft["state"], draft["reason"]) == ("failed", "search_failed")


async def test_without_a_model_a_draft_is_the_venture_s_own_sentences_and_says_so(
    database_addresses: Addresses,
) -> None:
    async with drafting_api(database_addresses) as at:
        ada = await at.person()
        venture, items = await furnished(ada, OOLONG, ASSAM)
        draft = await finished(ada, await ada.post(drafts(venture), {"instruction": "Explain oolong from Taiwan"}))
        assert (draft["state"], draft["model"], draft["prompt"]) == ("finished", "extractive", None), draft
        assert (draft["extractive"], draft["remark"]) == (True, REMARK)
        assert "Most oolong grows on Taiwan." in draft["text"]
        marks = {f"[{one['mark']}]" for one in draft["citations"]}
        assert all(mark in draft["text"] for mark in marks)
        assert {one["item"] for one in draft["citations"]} <= set(items)
        digest = {"instruction": "Explain oolong from Taiwan", "format": "weekly-digest"}
        assert (await finished(ada, await ada.post(drafts(venture), digest)))["text"].startswith("- ")

        empty = await ada.found("Empty")
        draft = await finished(ada, await ada.post(drafts(empty), {"instruction": "Explain oolong"}))
        assert (draft["state"], draft["reason"]) == ("failed", "no_passages")
        assert "Write an item about it first" in draft["problem"]
        assert (await used(at, venture), await used(at, empty)) == (2, 0)


async def test_a_full_plan_takes_no_more_drafts(database_addresses: Addresses) -> None:
    async with drafting_api(database_addresses) as at:
        ada = await at.person()
        venture, _ = await furnished(ada, OOLONG)
        await at.platform.billing.record_usage(venture, "drafts", 49, 10_000, at.platform.now())
        asked = await ada.post(drafts(venture), {"instruction": "About oolong"}, key="last")
        assert (await finished(ada, asked))["state"] == "finished"
        full = await ada.post(drafts(venture), {"instruction": "About oolong"})
        assert (full.status_code, "50 drafts this month" in full.json()["detail"]) == (402, True), full.text
        again = await ada.post(drafts(venture), {"instruction": "About oolong"}, key="last")
        assert (again.status_code, again.json()["id"]) == (201, asked.json()["id"])


async def test_a_draft_that_runs_is_cancelled_and_more_than_three_are_refused(database_addresses: Addresses) -> None:
    async with language_model() as server, drafting_api(database_addresses, server, Times()) as at:
        owner = await at.person()
        venture, _ = await furnished(owner, OOLONG)
        author, other = await at.member(venture, "author"), await at.member(venture, "author")
        server.misdeeds.extend(["hangs"] * MOST_RUNNING)
        asked = [await author.post(drafts(venture), {"instruction": "About oolong"}) for _ in range(MOST_RUNNING)]
        refused = await author.post(drafts(venture), {"instruction": "About oolong"})
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "5"), refused.text
        first, second, _ = [one.headers["Location"] for one in asked]
        assert (await other.post(f"{first}/cancel", if_match=1)).status_code == 403
        assert (await author.post(f"{first}/cancel", if_match=7)).status_code == 412
        done = await author.post(f"{first}/cancel", if_match=1)
        assert (done.status_code, done.json()["state"], done.json()["reason"]) == (200, "cancelled", None)
        assert (await owner.post(f"{second}/cancel", if_match=1)).json()["state"] == "cancelled"
        assert (await author.post(f"{first}/cancel", if_match=2)).status_code == 409
        assert (await author.post(f"{first}/accept", if_match=2)).status_code == 409
        assert (await author.post(drafts(venture), {"instruction": "About oolong"})).status_code == 201


async def test_a_process_that_stops_fails_what_it_writes(database_addresses: Addresses) -> None:
    async with language_model() as server, drafting_api(database_addresses, server, Times()) as at:
        ada = await at.person()
        venture, _ = await furnished(ada, OOLONG)
        server.misdeeds.append("hangs")
        asked = await ada.post(drafts(venture), {"instruction": "About oolong"})
        await at.drafting.close()
        draft = (await ada.get(asked.headers["Location"])).json()
        assert (draft["state"], draft["reason"]) == ("failed", "stopped")


async def test_a_process_takes_so_many_drafts_and_no_more(
    database_addresses: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafting_module, "AT_ONCE", 1)
    async with language_model() as server, drafting_api(database_addresses, server, Times()) as at:
        ada = await at.person()
        venture, _ = await furnished(ada, OOLONG)
        server.misdeeds.append("hangs")
        assert (await ada.post(drafts(venture), {"instruction": "About oolong"})).status_code == 201
        full = await ada.post(drafts(venture), {"instruction": "About oolong"})
        assert (full.status_code, "Retry-After" in full.headers) == (503, True)
        running = (await ada.get(drafts(venture), params={"state": "running"})).json()["items"]
        assert len(running) == 1


async def test_two_requests_under_one_key_are_one_draft(database_addresses: Addresses) -> None:
    async with language_model() as server, drafting_api(database_addresses, server) as at:
        ada = await at.person()
        venture, _ = await furnished(ada, OOLONG)
        both = [await ada.post(drafts(venture), {"instruction": "About oolong"}, key="once") for _ in range(2)]
        assert both[0].headers["Location"] == both[1].headers["Location"]
        await finished(ada, both[0])
        assert len(server.prompts) == 1


async def test_drafts_are_paged_the_last_asked_first(database_addresses: Addresses) -> None:
    async with drafting_api(database_addresses) as at:
        ada = await at.person()
        venture, _ = await furnished(ada, OOLONG)
        made = []
        for number in range(5):
            asked = await ada.post(drafts(venture), {"instruction": f"Oolong {number}"})
            made.append((await finished(ada, asked))["id"])
        found: list[str] = []
        cursor = None
        while True:
            query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
            answer = (await ada.get(drafts(venture), params=query)).json()
            assert all("text" not in one for one in answer["items"])
            found += [one["id"] for one in answer["items"]]
            if (cursor := answer["next"]) is None:
                break
        assert found == made[::-1]


async def test_who_may(database_addresses: Addresses) -> None:
    async with drafting_api(database_addresses) as at:
        ada, eve = await at.person("Ada"), await at.person("Eve")
        venture, _ = await furnished(ada, OOLONG)
        viewer = await at.member(venture, "viewer")
        wanted = {"instruction": "About oolong"}
        asked = await ada.post(drafts(venture), wanted)
        place = asked.headers["Location"]
        await finished(ada, asked)
        assert (await viewer.get(place)).status_code == 200
        assert (await viewer.post(drafts(venture), wanted)).status_code == 403
        assert (await viewer.post(f"{place}/accept", if_match=2)).status_code == 403
        for answer in (
            await eve.get(place),
            await eve.post(drafts(venture), wanted),
            await eve.post(f"{place}/accept", if_match=2),
        ):
            assert answer.status_code == 404
        theirs = await eve.found()
        assert (await eve.get(place.replace(str(venture), str(theirs)))).status_code == 404
        writes = await ada.with_key({"content:draft", "content:view"}, venture)
        refused = await writes.post(f"{place}/accept", if_match=2)
        assert (refused.status_code, "generation:view" in refused.json()["detail"]) == (403, True)


async def test_what_is_too_long_empty_or_unknown_is_refused(database_addresses: Addresses) -> None:
    async with drafting_api(database_addresses) as at:
        ada = await at.person()
        venture = await ada.found()
        refused: tuple[dict[str, Any], ...] = (
            {},
            {"instruction": ""},
            {"instruction": " \n"},
            {"instruction": "x" * 4_001},
            {"instruction": "Tea\0"},
            {"instruction": "Tea", "format": "sonnet"},
            {"instruction": "Tea", "passages": 21},
            {"instruction": "Tea", "passages": -1},
            {"instruction": "Tea", "venture": str(venture)},
        )
        for body in refused:
            answer = await ada.post(drafts(venture), body)
            assert answer.status_code == 422, (body, answer.text)
        unknown = await ada.post(drafts(venture), {"instruction": "Tea", "item": str(UUID(int=7))})
        assert unknown.status_code == 404
        assert (await ada.get(drafts(venture))).json() == {"items": [], "next": None}


async def test_patterns_are_for_who_is_signed_in(database_addresses: Addresses) -> None:
    async with drafting_api(database_addresses) as at:
        assert (await at.nobody.get("/v1/patterns")).status_code == 401
        found = (await (await at.person()).get("/v1/patterns")).json()["items"]
        assert [one["id"] for one in found] == list(PATTERNS)
