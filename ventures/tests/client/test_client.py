"""The typed client against a running server: what it says, what it repeats, what it raises."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from time import sleep
from uuid import UUID

import httpx2
import pytest
import uvicorn

from ventures.client import (
    Client,
    Conflict,
    Invalid,
    NotFound,
    NotReached,
    NotSignedIn,
    Problem,
    Stale,
    TooMany,
    Unavailable,
    Unreadable,
)
from ventures.client.records import (
    Account,
    EventChanges,
    NewAccount,
    NewApiKey,
    NewDeadline,
    NewEvent,
    NewFeed,
    NewItem,
    NewVenture,
)
from ventures.database.roles import Addresses
from ventures.http.app import create
from ventures.testing.api import settings_for
from ventures.testing.postgres import fresh_database
from ventures.wiring import open_platform

PASSWORD = "correct horse battery"
MARCH = datetime(2026, 3, 2, 9, tzinfo=UTC)


@contextmanager
def serving(addresses: Addresses) -> Iterator[str]:
    """The API on a port of loopback, until the end."""
    settings = settings_for(addresses)
    application = create(settings, lambda: open_platform(settings, addresses.app))
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application, log_level="critical", access_log=False))
    running = threading.Thread(target=server.run, args=([listening],))
    running.start()
    while not server.started:
        assert running.is_alive(), "the server did not start"
        sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        running.join()
        listening.close()


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    """One server for this file."""
    with fresh_database() as addresses, serving(addresses) as url:
        yield url


@pytest.fixture(scope="module")
def ada(base_url: str) -> Iterator[Client]:
    """A person who has signed up and in."""
    with Client(base_url) as client:
        email = "ada@example.org"
        made = client.accounts.sign_up(NewAccount(email=email, password=PASSWORD, name="Ada"))
        assert isinstance(made, Account)
        client.sign_in(email, PASSWORD)
        yield client


@pytest.fixture(scope="module")
def venture(ada: Client) -> UUID:
    """A venture of hers; a test tells its own things in it by their titles."""
    return founded(ada)


def founded(client: Client) -> UUID:
    return client.ventures.found_venture(NewVenture(name="A venture", zone="Europe/Berlin", display_name="Ada")).id


class Faulty(httpx2.BaseTransport):
    """Sends requests on; what comes back is lost or replaced as `script` says, a word a request."""

    def __init__(self, *script: str) -> None:
        self.script = list(script)
        self.sent: list[httpx2.Request] = []
        self._real = httpx2.HTTPTransport()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        word = self.script.pop(0) if self.script else "ok"
        self.sent.append(request)
        if word == "refused":
            raise httpx2.ConnectError("nobody listens", request=request)
        if word == "busy":
            return httpx2.Response(503, headers={"Retry-After": "1"}, request=request)
        if word == "later":
            return httpx2.Response(429, headers={"Retry-After": "900"}, request=request)
        if word == "soon":
            return httpx2.Response(429, headers={"Retry-After": "2"}, request=request)
        if word == "proxy":
            return httpx2.Response(502, text="<html>bad gateway</html>", request=request)
        if word == "other":
            return httpx2.Response(200, json={"hello": "world"}, request=request)
        answer = self._real.handle_request(request)
        if word == "lost":
            answer.read()
            answer.close()
            raise httpx2.ReadError("the connection was lost", request=request)
        return answer

    def close(self) -> None:
        self._real.close()


@pytest.fixture(scope="module")
def key(ada: Client) -> str:
    """An API key of hers."""
    scopes = ["planner:view", "planner:draft", "content:view", "content:draft", "tenancy:view"]
    made = ada.accounts.make_api_key(
        NewApiKey(label="test", scopes=scopes, expires_at=datetime.now(UTC) + timedelta(days=1))
    )
    assert made.token
    return made.token


def test_a_day_with_the_client(ada: Client) -> None:
    venture = founded(ada)
    item = ada.content.draft_item(venture, NewItem(title="Autumn launch"))
    due = ada.planner.set_deadline(venture, item.id, NewDeadline(starts_at=MARCH))
    assert (due.title, due.starts_at, due.starts_local) == ("Autumn launch", MARCH, "2026-03-02T10:00:00+01:00")
    event = ada.planner.add_calendar_event(venture, NewEvent(title="Meeting", starts_at=MARCH, item=item.id))
    changed = ada.planner.change_calendar_event(venture, event.id, EventChanges(title="Long meeting"), version=event)
    assert (changed.title, changed.item, changed.version) == ("Long meeting", item.id, 2)
    cleared = ada.planner.change_calendar_event(venture, event.id, EventChanges(item=None), version=changed)
    assert (cleared.title, cleared.item) == ("Long meeting", None)
    ada.planner.remove_calendar_event(venture, event.id, version=cleared)
    assert [
        one.id for one in ada.planner.list_calendar(venture, kind=["deadline", "event"], to=MARCH + timedelta(1))
    ] == [due.id]
    feed = ada.planner.open_calendar_feed(venture, NewFeed(label="phone"))
    document = ada.planner.read_calendar_feed_document(venture, feed.url.rpartition("/")[2])
    assert document.startswith(b"BEGIN:VCALENDAR")


def test_pages_are_read_as_they_are_needed(ada: Client) -> None:
    venture = founded(ada)
    for number in range(5):
        ada.planner.add_calendar_event(venture, NewEvent(title=str(number), starts_at=MARCH + timedelta(number)))
    pages = ada.planner.list_calendar(venture, limit=2)
    assert [one.title for one in pages] == [one.title for one in pages] == list("01234")
    assert [len(page.items) for page in pages.pages()] == [2, 2, 1]
    first = pages.page()
    assert [one.title for one in pages.page(first.next).items] == ["2", "3"]


def test_problems_are_typed_and_say_what_is_wrong(ada: Client, venture: UUID, base_url: str) -> None:
    with pytest.raises(NotFound) as missing:
        ada.planner.read_calendar_entry(venture, UUID(int=1))
    assert (missing.value.kind, missing.value.status) == ("not-found", 404)
    with pytest.raises(Invalid) as wrong:
        ada.planner.add_calendar_event(venture, NewEvent(title="x", starts_at=MARCH, zone="Mars"))
    assert wrong.value.errors == {"zone": "unknown"}
    assert "zone: unknown" in str(wrong.value)
    event = ada.planner.add_calendar_event(venture, NewEvent(title="x", starts_at=MARCH))
    with pytest.raises(Stale):
        ada.planner.remove_calendar_event(venture, event.id, version=7)
    item = ada.content.draft_item(venture, NewItem(title="x"))
    due = ada.planner.set_deadline(venture, item.id, NewDeadline(starts_at=MARCH))
    with pytest.raises(Conflict):
        ada.planner.remove_calendar_event(venture, due.id, version=due)
    with Client(base_url) as nobody, pytest.raises(NotSignedIn):
        nobody.accounts.read_me()


@pytest.mark.parametrize("fault", ["lost", "refused", "busy", "soon"])
def test_a_request_whose_answer_is_lost_is_carried_out_once(venture: UUID, key: str, base_url: str, fault: str) -> None:
    faulty, pauses = Faulty(fault, fault), list[float]()
    with Client(base_url, key=key, transport=faulty, sleep=pauses.append) as client:
        made = client.planner.add_calendar_event(venture, NewEvent(title=fault, starts_at=MARCH))
        assert [one.id for one in client.planner.list_calendar(venture) if one.title == fault] == [made.id]
    keys = {request.headers["Idempotency-Key"] for request in faulty.sent[:3]}
    assert len(keys) == 1
    assert len(pauses) == 2
    assert {"busy": pauses == [1.0, 1.0], "soon": pauses == [2.0, 2.0]}.get(fault, 0 < pauses[0] < 1)


def test_what_is_not_safe_to_repeat_is_not_repeated(base_url: str) -> None:
    lost = Faulty("lost")
    with Client(base_url, transport=lost) as client, pytest.raises(NotReached, match="not known"):
        client.accounts.sign_up(NewAccount(email="bob@example.org", password=PASSWORD, name="Bob"))
    assert len(lost.sent) == 1
    busy = Faulty("busy")
    with Client(base_url, transport=busy) as client, pytest.raises(Unavailable):
        client.accounts.sign_up(NewAccount(email="eve@example.org", password=PASSWORD, name="Eve"))
    assert len(busy.sent) == 1


def test_it_gives_up_in_the_end_and_at_once_where_it_should_come_back_much_later(base_url: str) -> None:
    dead, pauses = Faulty(*["refused"] * 9), list[float]()
    with Client(base_url, transport=dead, attempts=3, sleep=pauses.append) as client, pytest.raises(NotReached):
        client.accounts.read_me()
    assert (len(dead.sent), len(pauses)) == (3, 2)
    later = Faulty("later")
    with Client(base_url, transport=later, sleep=pauses.append) as client, pytest.raises(TooMany) as refused:
        client.accounts.read_me()
    assert (len(later.sent), refused.value.retry_after_seconds) == (1, 900)


def test_answers_of_something_else_are_told_apart(base_url: str) -> None:
    with Client(base_url, transport=Faulty("proxy")) as client, pytest.raises(Problem) as gateway:
        client.accounts.read_me()
    assert (gateway.value.kind, gateway.value.status) == ("bad-gateway", 502)
    with Client(base_url, transport=Faulty("other")) as client, pytest.raises(Unreadable, match="this client knows"):
        client.accounts.read_me()


def test_the_key_is_in_no_text_of_the_client(key: str, base_url: str) -> None:
    with Client(base_url, key=key, transport=Faulty(*["refused"] * 9), attempts=1) as client:
        assert key not in repr(client) + repr(vars(client))
        with pytest.raises(NotReached) as lost:
            client.accounts.read_me()
        assert key not in str(lost.value)
        with pytest.raises(ValueError, match="API key"):
            client.sign_in("ada@example.org", PASSWORD)


def test_a_part_of_a_path_stays_one_segment(base_url: str) -> None:
    faulty = Faulty("proxy")
    with Client(base_url, transport=faulty) as client, pytest.raises(Problem):
        client.planner.read_calendar_feed_document(UUID(int=1), "../../../me?x=1")
    assert faulty.sent[0].url.raw_path.decode().endswith("/..%2F..%2F..%2Fme%3Fx%3D1")
