"""An item's way over HTTP: who may do what, what is answered, what is refused without a trace."""

from ventures.database.roles import Addresses
from ventures.testing.api import api


async def test_an_item_is_drafted_edited_submitted_sent_back_and_approved(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        owner = await platform_api.person("Ada")
        venture = await owner.found("Tea")
        author = await platform_api.member(venture, "author")
        approver = await platform_api.member(venture, "approver")

        made = await author.post(f"/v1/ventures/{venture}/items", {"title": "Oolong", "body": "Half."})
        assert made.status_code == 201, made.text
        place = made.headers["Location"]
        assert (made.json()["state"], made.json()["number"], made.headers["ETag"]) == ("draft", 1, '"1"')

        sent = await author.post(f"{place}/submit", if_match=1)
        assert (sent.status_code, sent.json()["state"]) == (200, "pending"), sent.text
        back = await approver.post(f"{place}/request-changes", {"note": "Shorter."}, if_match=sent.headers["ETag"])
        assert back.json()["state"] == "changes_requested"
        edited = await author.patch(place, {"body": "Whole."}, if_match=back.headers["ETag"])
        assert (edited.json()["state"], edited.json()["number"], edited.json()["body"]) == ("draft", 2, "Whole.")
        sent = await author.post(f"{place}/submit", if_match=edited.headers["ETag"])
        fine = await approver.post(f"{place}/approve", if_match=sent.headers["ETag"])
        assert (fine.json()["state"], fine.json()["approved_number"]) == ("approved", 2)
        assert fine.json()["approved_by"] == str(approver.account)

        history = (await author.get(f"{place}/history")).json()["items"]
        assert [(line["verdict"], line["number"], line["note"]) for line in history] == [
            ("approved", 2, ""),
            ("submitted", 2, ""),
            ("changes_requested", 1, "Shorter."),
            ("submitted", 1, ""),
        ]
        versions = (await author.get(f"{place}/versions")).json()["items"]
        assert [(line["number"], line["body_bytes"]) for line in versions] == [(2, 6), (1, 5)]
        assert (await author.get(f"{place}/versions/1")).json()["body"] == "Half."
        assert (await author.get(place)).json() == fine.json()

        assert await platform_api.replays(venture)
