"""Drafts as server-sent events, from a real server on loopback: in order, whole, and ended with whoever reads them."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx2
import msgspec
import uvicorn

from ventures.database.roles import Addresses
from ventures.generation import drafting as drafting_module
from ventures.generation.model import Times
from ventures.testing.api import Person
from ventures.testing.generation import PATIENCE_SECONDS, DraftingApi, drafting_api, finished
from ventures.testing.language_model import language_model

WANTED = {"instruction": "About oolong", "passages": 2}
Event = tuple[str, dict[str, Any]]


@asynccontextmanager
async def listening(at: DraftingApi) -> AsyncIterator[str]:
    """→ the URL of the API, which has been started already."""
    bound = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(at.app, lifespan="off", log_config=None, timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve([bound]))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not server.started:
            await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def asking(url: str, person: Person, path: str, body: Any, **headers: str) -> AsyncIterator[httpx2.Response]:
    sent = {**person.headers, "Accept": "text/event-stream", "Content-Type": "application/json", **headers}
    async with (
        httpx2.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS) as client,
        client.stream("POST", path, content=msgspec.json.encode(body), headers=sent) as answer,
    ):
        yield answer


async def events(answer: httpx2.Response) -> AsyncIterator[Event]:
    name = ""
    async for line in answer.aiter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, msgspec.json.decode(value)


async def furnished(person: Person) -> str:
    """The path of a new venture with something to write from."""
    path = f"/v1/ventures/{await person.found()}"
    body = "Oolong is oxidised by half.\n\nIts leaves are rolled by hand."
    assert (await person.post(f"{path}/items", {"title": "Oolong", "body": body})).status_code == 201
    return path


async def test_citations_come_first_then_the_text_then_the_whole_record(database_addresses: Addresses) -> None:
    async with language_model() as server, drafting_api(database_addresses, server) as at, listening(at) as url:
        ada = await at.person()
        path = await furnished(ada)
        server.says = "Half oxidised [1].\r\n\nBlue [9]. Rolled: é [2]."
        async with asking(url, ada, f"{path}/drafts", WANTED) as answer:
            assert answer.status_code == 201
            assert answer.headers["Content-Type"].startswith("text/event-stream")
            assert answer.headers["Cache-Control"] == "no-store"
            found = [event async for event in events(answer)]
        names = [name for name, _ in found]
        assert names[0] == "citations"
        assert names[-1] == "done"
        assert set(names[1:-1]) == {"text"}
        assert len(names) > 4
        assert [one["mark"] for one in found[0][1]["citations"]] == [1, 2]
        text = "".join(data["text"] for name, data in found if name == "text")
        assert text == "Half oxidised [1].\r\n\nBlue. Rolled: é [2]."
        done = found[-1][1]
        assert (done["text"], done["state"], done["unsupported"]) == (text, "finished", 1)
        assert (await ada.get(answer.headers["Location"])).json() == done


async def test_a_failure_ends_the_stream_with_its_reason(database_addresses: Addresses) -> None:
    async with language_model() as server, drafting_api(database_addresses, server) as at, listening(at) as url:
        ada = await at.person()
        path = await furnished(ada)
        server.misdeeds.append("cuts_off_midway")
        async with asking(url, ada, f"{path}/drafts", WANTED) as answer:
            found = [event async for event in events(answer)]
        assert found[-1][0] == "failed"
        assert (found[-1][1]["reason"], found[-1][1]["text"]) == ("cut_off", "")


async def test_a_client_that_goes_away_cancels_unless_it_asked_for_background(database_addresses: Addresses) -> None:
    async with (
        language_model() as server,
        drafting_api(database_addresses, server, Times()) as at,
        listening(at) as url,
    ):
        ada = await at.person()
        path = await furnished(ada)
        server.misdeeds.append("hangs_midway")
        async with asking(url, ada, f"{path}/drafts", WANTED) as answer:
            stream = events(answer)
            assert (await anext(stream))[0] == "citations"
            assert (await anext(stream))[0] == "text"
        assert (await finished(ada, answer))["state"] == "cancelled"
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not server.left:
                await asyncio.sleep(0.01)

        server.pause_seconds = 0.05
        async with asking(url, ada, f"{path}/drafts", {**WANTED, "background": True}) as answer:
            assert (await anext(events(answer)))[0] == "citations"
        assert (await finished(ada, answer))["state"] == "finished"
        assert await at.replays(UUID(path.rpartition("/")[2]))


async def test_what_is_cancelled_elsewhere_is_not_written_on(database_addresses: Addresses, monkeypatch: Any) -> None:
    monkeypatch.setattr(drafting_module, "WATCH_SECONDS", 0.05)
    async with (
        language_model() as server,
        drafting_api(database_addresses, server, Times(between_seconds=600, whole_seconds=600)) as at,
        listening(at) as url,
    ):
        ada = await at.person()
        path = await furnished(ada)
        server.misdeeds.append("hangs_midway")
        async with asking(url, ada, f"{path}/drafts", WANTED) as answer:
            stream = events(answer)
            assert (await anext(stream))[0] == "citations"
            done = await ada.post(f"{answer.headers['Location']}/cancel", if_match=1)
            assert done.json()["state"] == "cancelled"
            async with asyncio.timeout(PATIENCE_SECONDS):
                rest = [event async for event in stream]
        assert rest[-1] == ("cancelled", done.json())
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not server.left:
                await asyncio.sleep(0.01)


async def test_asked_again_under_its_key_a_draft_is_told_and_not_written_twice(database_addresses: Addresses) -> None:
    async with language_model() as server, drafting_api(database_addresses, server) as at, listening(at) as url:
        ada = await at.person()
        path = await furnished(ada)
        key = {"Idempotency-Key": "once"}
        found = []
        for _ in range(2):
            async with asking(url, ada, f"{path}/drafts", WANTED, **key) as answer:
                found.append([event async for event in events(answer)])
        first, again = found
        assert first[-1] == again[-1]
        assert [name for name, _ in again] == ["citations", "text", "done"]
        assert len(server.prompts) == 1


async def test_who_does_not_ask_for_a_stream_gets_none_and_the_document_says_both(
    database_addresses: Addresses,
) -> None:
    async with drafting_api(database_addresses) as at:
        ada = await at.person()
        path = await furnished(ada)
        for accept in ("*/*", "application/json", "application/json, text/event-stream;q=0.5"):
            answer = await ada.post(f"{path}/drafts", WANTED, headers={"Accept": accept})
            assert answer.headers["Content-Type"] == "application/json", accept
            await finished(ada, answer)
        document = at.app.openapi_schema.to_schema()
        content = document["paths"]["/v1/ventures/{venture}/drafts"]["post"]["responses"]["201"]["content"]
        assert set(content) == {"application/json", "text/event-stream"}
        assert content["application/json"]["schema"]["$ref"].endswith("Draft")
