"""What fails or lies beside search and drafts stays there: the rest of the platform, and other ventures, go on."""

import asyncio
import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from uuid import uuid4

import httpx2
import numpy as np
import pytest

from ventures.database.roles import Addresses
from ventures.errors import SettingsError, Unavailable
from ventures.generation import drafting
from ventures.generation.model import Times
from ventures.search import searching
from ventures.search.embedding import EndpointEmbedder
from ventures.testing.api import api
from ventures.testing.embeddings import Embeddings, passages, units
from ventures.testing.generation import drafting_api
from ventures.testing.index_process import DIMENSION, MODEL, IndexProcess
from ventures.testing.language_model import language_model
from ventures.testing.loopback import Answer, Request, serving
from ventures.vectors import serving as serving_index
from ventures.vectors.api import Cannot, Found, Kind, Remote, Search, StoreStatus
from ventures.vectors.api import serving as serving_stores
from ventures.vectors.wire import socket_of


async def test_an_embedding_endpoint_that_hangs_keeps_no_connection_to_the_database(
    database_addresses: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "MEANING_SECONDS", 1.6)
    asked = 0

    async def hangs(request: Request) -> Answer:
        nonlocal asked
        asked += 1
        await asyncio.Event().wait()
        raise AssertionError

    async with serving(hangs) as url:
        endpoint = {"embedding_url": f"{url}/v1", "embedding_model": "m", "embedding_dimension": 8}
        async with api(database_addresses, database_connections=2, **endpoint) as at:
            ada = await at.person()
            venture = await ada.found()
            search = f"/v1/ventures/{venture}/search"
            async with asyncio.timeout(30):
                found = await asyncio.gather(*(ada.get(search, params={"q": "tea"}) for _ in range(6)))
                assert {(one.status_code, one.json()["answered_by"]) for one in found} == {(200, "keywords")}
                assert (await ada.get(f"/v1/ventures/{venture}/items")).status_code == 200
                assert asked <= 6
                later = await asyncio.gather(*(ada.get(search, params={"q": "tea"}) for _ in range(4)))
                assert {(one.status_code, one.json()["answered_by"]) for one in later} == {(200, "keywords")}
            assert asked <= 7  # known not to answer, it is asked by one at a time


@pytest.mark.parametrize("answer", [b"<html>", {"data": []}, b"\xff"])
async def test_an_endpoint_s_nonsense_is_no_fault_of_the_query_s(
    database_addresses: Addresses, answer: bytes | dict[str, list[int]]
) -> None:
    async def answers(request: Request) -> Answer:
        return Answer(answer)

    async with serving(answers) as url:
        endpoint = {"embedding_url": f"{url}/v1", "embedding_model": "m", "embedding_dimension": 8}
        async with api(database_addresses, **endpoint) as at:
            ada = await at.person()
            venture = await ada.found()
            for path in (f"/v1/ventures/{venture}/search", "/v1/search"):
                found = await ada.get(path, params={"q": "tea"})
                assert found.status_code == 200, found.text


async def test_an_endpoint_that_is_down_is_asked_by_one_at_a_time_until_it_answers() -> None:
    asked, up = 0, False

    async def answers(request: Request) -> Answer:
        nonlocal asked
        asked += 1
        return Answer({"data": [{"index": 0, "embedding": [1, 0]}]} if up else {}, 200 if up else 503)

    async with serving(answers) as url, httpx2.AsyncClient(trust_env=False) as client:
        embedder = EndpointEmbedder(client, url, "m", 2, pause_seconds=0.01, rest_seconds=0.2)
        with pytest.raises(Unavailable, match="503"):
            await embedder.embed(["one"])
        began, before = perf_counter(), asked
        for _ in range(50):
            with pytest.raises(Unavailable, match="again in a few seconds"):
                await embedder.embed(["one"])
            if perf_counter() - began > 0.1:
                break
        assert asked == before
        await asyncio.sleep(0.25)
        several = await asyncio.gather(*(embedder.embed(["one"]) for _ in range(8)), return_exceptions=True)
        assert all(isinstance(one, Unavailable) for one in several)
        assert asked == before + 3
        up = True
        await asyncio.sleep(0.25)
        assert len(await embedder.embed(["one"])) == 1
        assert len(await asyncio.gather(*(embedder.embed(["one"]) for _ in range(8)))) == 8


@pytest.mark.parametrize("wait", ["²", "9" * 400, "-1", "soon"])
async def test_whatever_an_endpoint_asks_to_wait_it_is_down_and_no_more(wait: str) -> None:
    async def answers(request: Request) -> Answer:
        return Answer(status=404, headers={"Retry-After": wait})

    async with serving(answers) as url, httpx2.AsyncClient(trust_env=False) as client:
        with pytest.raises(Unavailable):
            await EndpointEmbedder(client, url, "m", 2).embed(["one"])


@pytest.mark.parametrize("query", ['"' + "tea " * 60 + '"', "tea " * 120, "tea or " * 70, "1-" * 245, "tea-" * 120])
async def test_words_that_are_alike_take_no_minutes(database_addresses: Addresses, query: str) -> None:
    async with api(database_addresses) as at:
        ada = await at.person()
        venture = await ada.found()
        for body in ("tea " * 40_000, "1-" * 40_000):
            assert (await ada.post(f"/v1/ventures/{venture}/items", {"title": "x", "body": body})).status_code == 201
        await at.caught_up()
        async with asyncio.timeout(60):  # only so that a fault ends the test
            found = await ada.get(f"/v1/ventures/{venture}/search", params={"q": query})
        assert found.status_code == 200, found.text
        assert found.json()["items"]


async def test_a_folder_where_others_could_listen_is_told_nothing() -> None:
    heard: list[bytes] = []

    async def listens(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(1))
        writer.close()

    with TemporaryDirectory(prefix="v-") as folder:
        remote, path = Remote(Path(folder), 1), socket_of(Path(folder), 1)
        path.parent.mkdir(mode=0o700)
        async with await asyncio.start_unix_server(listens, path):
            for mode, told in ((0o777, 0), (0o770, 0), (0o700, 1)):
                path.parent.chmod(mode)
                with pytest.raises(Unavailable, match="ended" if told else "not a folder of our own"):
                    await remote.search("tuned", uuid4(), Kind.CONTENT, np.zeros(8, np.float32), limit=1)
                assert len(heard) == told
            await remote.close()


class Nothing:
    """Holds no store."""

    async def search(self, asked: Search) -> Found | Cannot:
        return Found(asked.number, [], 0)

    async def status(self) -> list[StoreStatus]:
        return []


async def test_a_socket_that_is_removed_comes_back_and_nobody_else_s_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_index, "WATCH_SECONDS", 0.02)
    with TemporaryDirectory(prefix="v-") as name:
        folder = Path(name)
        async with serving_stores(folder, 1, Nothing()):
            for whole in (True, False, True):
                shutil.rmtree(folder / "index") if whole else socket_of(folder, 1).unlink()
                remote = Remote(folder, 1)
                async with asyncio.timeout(30):
                    while True:
                        with suppress(Unavailable):
                            await remote.status()
                            break
                        await asyncio.sleep(0.02)
                await remote.close()
                assert (folder / "index").stat().st_mode & 0o777 == 0o700
                with pytest.raises(SettingsError, match="runs already"):
                    async with serving_stores(folder, 1, Nothing()):
                        pass
        assert not socket_of(folder, 1).exists()


async def test_drafts_of_one_person_leave_room_for_others(
    database_addresses: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafting, "AT_ONCE_OF_ONE", 2)
    wanted = {"instruction": "About oolong"}
    async with language_model() as server, drafting_api(database_addresses, server, Times()) as at:
        server.misdeeds.extend(["hangs"] * 9)
        ada, bob = await at.person("Ada"), await at.person("Bob")
        asked = [await ada.post(f"/v1/ventures/{await ada.found()}/drafts", wanted) for _ in range(3)]
        assert [one.status_code for one in asked] == [201, 201, 429]
        assert asked[-1].headers["Retry-After"] == "5"
        assert (await bob.post(f"/v1/ventures/{await bob.found()}/drafts", wanted)).status_code == 201
        assert (await at.nobody.post(f"/v1/ventures/{uuid4()}/drafts", wanted)).status_code == 401
        draft = asked[0].headers["Location"]
        assert (await ada.post(f"{draft}/cancel", if_match=1)).status_code == 200
        async with asyncio.timeout(30):
            venture = draft.split("/")[3]
            while (await ada.post(f"/v1/ventures/{venture}/drafts", wanted)).status_code == 429:
                await asyncio.sleep(0.1)


@pytest.mark.parametrize("layout", ["buckets", "per-venture"])
async def test_every_layout_is_filled_begun_anew_and_kept(database_addresses: Addresses, layout: str) -> None:
    with (
        TemporaryDirectory(prefix="v-") as folder,
        Embeddings(database_addresses.superuser, model=MODEL, dimension=DIMENSION) as rows,
    ):
        process = IndexProcess(Path(folder), database_addresses.app, layout=layout)
        ventures = [rows.venture() for _ in range(3)]
        try:
            for begin in range(2):
                for number, venture in enumerate(ventures):
                    rows.put(venture, passages(units(5, DIMENSION, seed=10 * begin + number)))
                process.start()
                await process.caught_up(len(ventures))
                for venture in ventures:
                    rows.forget(venture)
                    rows.put(venture, passages(units(4, DIMENSION)))
                async with asyncio.timeout(60):  # only so that a fault ends the test
                    while any(list(rows.kept(venture).values()) != [1] for venture in ventures):
                        await asyncio.sleep(0.05)
                process.stop()
                held = await process.all_held(ventures)
                assert held == {venture: rows.held(venture) for venture in ventures}
                assert [len(rows.kept(venture)) for venture in ventures] == [1] * len(ventures)
        finally:
            process.kill()
