"""Context notes over HTTP."""

from ventures.database.roles import Addresses
from ventures.testing.generation import drafting_api


async def test_a_note_is_written_edited_listed_and_deleted(database_addresses: Addresses) -> None:
    async with drafting_api(database_addresses) as at:
        ada, eve = await at.person("Ada"), await at.person("Eve")
        venture = await ada.found()
        notes = f"/v1/ventures/{venture}/context-notes"
        made = await ada.post(notes, {"title": " Voice ", "text": "Plain words."}, key="once")
        assert (made.status_code, made.json()["title"], made.headers["ETag"]) == (201, "Voice", '"1"'), made.text
        place = made.headers["Location"]
        assert (await ada.post(notes, {"title": " Voice ", "text": "Plain words."}, key="once")).json() == made.json()
        assert (await ada.patch(place, {"text": "Plainer."})).status_code == 428
        edited = await ada.patch(place, {"text": "Plainer."}, if_match=1)
        assert (edited.json()["text"], edited.json()["title"], edited.headers["ETag"]) == ("Plainer.", "Voice", '"2"')
        assert (await ada.patch(place, {"text": "Plainest."}, if_match=1)).status_code == 412
        second = (await ada.post(notes, {"title": "Audience", "text": "Cooks."})).json()["id"]
        first = (await ada.get(notes, params={"limit": 1})).json()
        rest = (await ada.get(notes, params={"limit": 1, "cursor": first["next"]})).json()
        assert [one["id"] for one in (*first["items"], *rest["items"])] == [made.json()["id"], second]
        assert rest["next"] is None

        viewer = await at.member(venture, "viewer")
        assert (await viewer.get(place)).status_code == 200
        assert (await viewer.patch(place, {"text": "Mine."}, if_match=2)).status_code == 403
        assert (await eve.get(place)).status_code == 404
        for body in (
            {"title": "", "text": "x"},
            {"title": "a\nb", "text": "x"},
            {"title": "a", "text": " "},
            {"title": "a", "text": "x" * 20_001},
            {"title": "a"},
        ):
            assert (await ada.post(notes, body)).status_code == 422, body
        assert (await ada.post(notes, {"title": "Long", "text": "é" * 20_000})).status_code == 201
        assert (await ada.delete(place, if_match=2)).status_code == 204
        assert (await ada.get(place)).status_code == 404
        assert await at.replays(venture)
