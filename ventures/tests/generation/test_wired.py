"""The platform as it is wired: a draft from what its own search finds, and from notes as passages."""

from ventures.database.roles import Addresses
from ventures.testing.api import api
from ventures.testing.generation import finished

ITEMS = (
    ("Oolong", "Oolong is a tea that is oxidised by half. Most oolong grows on Taiwan. Its leaves are rolled by hand."),
    ("Opening hours", "Our shop opens at nine in the morning. It closes at six. On Sundays nobody is there."),
)


async def test_a_draft_is_put_together_from_what_search_finds(database_addresses: Addresses) -> None:
    async with api(database_addresses) as at:
        ada, eve = await at.person("Ada"), await at.person("Eve")
        venture, other = await ada.found(), await eve.found()
        made = {}
        for title, body in ITEMS:
            answer = await ada.post(f"/v1/ventures/{venture}/items", {"title": title, "body": body})
            made[title] = answer.json()["id"]
        theirs = {"title": "Oolong", "body": "Our oolong has a secret. Nobody may know of the oolong margin."}
        assert (await eve.post(f"/v1/ventures/{other}/items", theirs)).status_code == 201
        await at.caught_up()
        wanted = {"instruction": "Explain how oolong is oxidised and where it grows", "passages": 1}
        draft = await finished(ada, await ada.post(f"/v1/ventures/{venture}/drafts", wanted))
        assert (draft["state"], draft["extractive"]) == ("finished", True), draft
        assert [one["item"] for one in draft["citations"]] == [made["Oolong"]]
        assert "Most oolong grows on Taiwan. [1]" in draft["text"]
        assert "secret" not in draft["text"]
        await at.caught_up()
        assert await at.replays(venture)
