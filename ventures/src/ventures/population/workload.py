"""What people do: who asks for what next, as bytes ready to send. Pure but for the state that the answers bring.

A person reads much, searches and writes a little, and comes back to what they read before, then as a browser does:
with If-None-Match. Who is active is skewed like the sizes of ventures.
"""

from bisect import bisect
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random
from typing import Final
from urllib.parse import quote_plus
from uuid import UUID

import msgspec

from ventures.population import grammar
from ventures.population.connection import Ask
from ventures.population.shape import SKEW

OPERATIONS: Final[tuple[tuple[str, float], ...]] = (
    ("list_items", 22.0),
    ("read_item", 29.0),
    ("read_venture", 5.0),
    ("list_comments", 5.0),
    ("list_versions", 3.0),
    ("list_calendar", 8.0),
    ("list_notices", 7.0),
    ("read_analytics", 3.0),
    ("recommend_items", 3.0),
    ("search", 5.0),
    ("draft_item", 2.5),
    ("edit_item", 3.5),
    ("add_comment", 2.0),
    ("submit_item", 1.0),
    ("approve_item", 1.0),
)
"""Operation ids of the API with their shares in percent: search 5, writes 10, the rest reads."""
NAMES: Final = tuple(name for name, _ in OPERATIONS)
WRITES: Final = frozenset({"draft_item", "edit_item", "add_comment", "submit_item", "approve_item"})
REVISITS: Final = 0.4
"""Share of reads of an item that somebody read before and asks for with its ETag."""
REMEMBERED: Final = 6
TRIES: Final = 8
HITS: Final = 10
CALENDAR_DAYS: Final = 31
FRESH_ITEMS: Final = 1_000_000
"""Items that load drafts have numbers from here on, which no population reaches."""


class Item:
    """An item as far as its answers told. state: "draft" and "pending" are what is asked for, "" is not known."""

    __slots__ = ("busy", "number", "path", "state", "version")

    def __init__(self, path: bytes, number: int, version: int, state: str) -> None:
        self.path = path
        self.number = number
        self.version = version
        self.state = state
        self.busy = False


class Place:
    """A venture: its items, and which of them are about what."""

    __slots__ = ("items", "number", "of_topic", "path", "topics", "venture")

    def __init__(self, number: int, venture: UUID) -> None:
        self.number = number
        self.venture = str(venture)
        self.path = f"/v1/ventures/{venture}".encode()
        self.items: list[Item] = []
        self.topics: dict[str, int] = {}
        self.of_topic: dict[int, int] = {}

    def about(self, item: str, topic: int) -> None:
        """Notes what the item is about."""
        self.topics[item] = topic
        self.of_topic[topic] = self.of_topic.get(topic, 0) + 1


class Person:
    """Somebody who asks. head: the end of the request's line and the headers that are always theirs."""

    __slots__ = ("head", "places", "recent")

    def __init__(self, head: bytes, places: Sequence[tuple[Place, bool, bool]]) -> None:
        self.head = head
        self.places = places
        """Each with whether they may write there, and approve."""
        self.recent: list[tuple[bytes, bytes]] = []

    def remember(self, path: bytes, etag: bytes) -> None:
        """What they read, to come back to."""
        if len(self.recent) >= REMEMBERED:
            del self.recent[0]
        self.recent.append((path, etag))


class Hit(msgspec.Struct):
    """What is looked at of a hit."""

    venture: str
    item: str


class Hits(msgspec.Struct):
    """What is looked at of an answer to a search."""

    items: list[Hit]
    answered_by: str = ""


class Entity(msgspec.Struct):
    """What is looked at of something that was made."""

    id: str
    version: int


class Findings(msgspec.Struct):
    """How good searches were. share: the sum over searches of the share of relevant items among the first hits, of as
    many as there could be; foreign: hits of other ventures.
    """

    searches: int = 0
    share: float = 0.0
    foreign: int = 0
    answered_by: dict[str, int] = msgspec.field(default_factory=dict)


class Workload:
    """Makes requests, each when it is asked for. offered: operation ids that the API has; the others' share goes to
    the rest.
    """

    def __init__(self, seed: int, people: Sequence[Person], luck: Random, offered: Sequence[str] = NAMES) -> None:
        self.findings = Findings()
        self._seed = seed
        self._people = people
        self._luck = luck
        self._drafted = FRESH_ITEMS + luck.randrange(FRESH_ITEMS)
        shares = [share if name in offered else 0.0 for name, share in OPERATIONS]
        self._shares = list(accumulate(shares))
        self._activity = list(accumulate((rank + 1) ** -SKEW for rank in range(len(people))))
        self._makers: list[Callable[[int, Person], Ask | None]] = [getattr(self, f"_{name}") for name in NAMES]
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        until = today + timedelta(days=CALENDAR_DAYS)
        self._calendar = f"/calendar?from={quote_plus(today.isoformat())}&to={quote_plus(until.isoformat())}".encode()
        self._hits = msgspec.json.Decoder(Hits)
        self._entity = msgspec.json.Decoder(Entity)

    def next(self) -> Ask:
        """The next request of anybody."""
        pick = self._luck.random
        while True:
            operation = bisect(self._shares, pick() * self._shares[-1])
            for _ in range(TRIES):
                person = self._people[bisect(self._activity, pick() * self._activity[-1])]
                ask = self._makers[operation](operation, person)
                if ask is not None:
                    return ask

    def _get(self, operation: int, person: Person, path: bytes) -> Ask:
        return Ask(operation, b"GET " + path + person.head + b"\r\n")

    def _post(
        self,
        operation: int,
        person: Person,
        path: bytes,
        body: bytes,
        done: Callable[[int, int, bytes], None] | None,
        *,
        verb: bytes = b"POST ",
        version: int = 0,
        wants_body: bool = False,
    ) -> Ask:
        match = b'if-match: "%d"\r\n' % version if version else b""
        kind = b"content-type: application/json\r\n" if body else b""
        length = b"content-length: %d\r\n\r\n" % len(body)
        return Ask(operation, verb + path + person.head + match + kind + length + body, done, wants_body=wants_body)

    def _any(self, person: Person) -> Place:
        places = person.places
        return places[int(self._luck.random() * len(places))][0]

    def _item_of(self, person: Person) -> Item | None:
        items = self._any(person).items
        return items[int(self._luck.random() ** 2 * len(items))] if items else None

    def _list_items(self, operation: int, person: Person) -> Ask | None:
        return self._get(operation, person, self._any(person).path + b"/items?limit=20")

    def _read_venture(self, operation: int, person: Person) -> Ask | None:
        return self._get(operation, person, self._any(person).path)

    def _list_calendar(self, operation: int, person: Person) -> Ask | None:
        return self._get(operation, person, self._any(person).path + self._calendar)

    def _list_notices(self, operation: int, person: Person) -> Ask | None:
        return self._get(operation, person, self._any(person).path + b"/notices?limit=20")

    def _read_analytics(self, operation: int, person: Person) -> Ask | None:
        return self._get(operation, person, self._any(person).path + b"/analytics")

    def _recommend_items(self, operation: int, person: Person) -> Ask | None:
        return self._get(operation, person, self._any(person).path + b"/recommendations")

    def _list_comments(self, operation: int, person: Person) -> Ask | None:
        item = self._item_of(person)
        return None if item is None else self._get(operation, person, item.path + b"/comments")

    def _list_versions(self, operation: int, person: Person) -> Ask | None:
        item = self._item_of(person)
        return None if item is None else self._get(operation, person, item.path + b"/versions")

    def _read_item(self, operation: int, person: Person) -> Ask | None:
        if person.recent and self._luck.random() < REVISITS:
            path, etag = person.recent.pop(int(self._luck.random() * len(person.recent)))
            head = b"GET " + path + person.head + b"if-none-match: " + etag + b"\r\n\r\n"
        else:
            item = self._item_of(person)
            if item is None:
                return None
            path, head = item.path, b"GET " + item.path + person.head + b"\r\n"

        def read(status: int, version: int, body: bytes) -> None:
            if version:
                person.remember(path, b'"%d"' % version)

        return Ask(operation, head, read)

    def _search(self, operation: int, person: Person) -> Ask | None:
        place = self._any(person)
        if not place.of_topic:
            return None
        known = list(place.of_topic)
        topic = grammar.topics(self._seed, place.number)[known[int(self._luck.random() * len(known))]]
        asked = grammar.question(self._seed, place.number, topic, self._luck)
        path = b"%b/search?limit=%d&q=%b" % (place.path, HITS, quote_plus(asked.text).encode())

        def found(status: int, version: int, body: bytes) -> None:
            if status == 200:
                self._judge(place, asked.topic, body)

        return Ask(operation, b"GET " + path + person.head + b"\r\n", found, wants_body=True)

    def _judge(self, place: Place, topic: int, body: bytes) -> None:
        answer, findings = self._hits.decode(body), self.findings
        could = min(HITS, place.of_topic[topic])
        right = sum(1 for hit in answer.items if place.topics.get(hit.item) == topic)
        findings.searches += 1
        findings.share += min(right, could) / could
        findings.foreign += sum(1 for hit in answer.items if hit.venture != place.venture)
        findings.answered_by[answer.answered_by] = findings.answered_by.get(answer.answered_by, 0) + 1

    def _place_for(self, person: Person, right: int) -> Place | None:
        able = [one for one in person.places if one[right]]
        return able[int(self._luck.random() * len(able))][0] if able else None

    def _draft_item(self, operation: int, person: Person) -> Ask | None:
        place = self._place_for(person, 1)
        if place is None:
            return None
        self._drafted += 1
        number = self._drafted
        body = msgspec.json.encode(
            {
                "title": grammar.title(self._seed, place.number, number),
                "body": grammar.body(self._seed, place.number, number),
            }
        )

        def drafted(status: int, version: int, answer: bytes) -> None:
            if status == 201:
                made = self._entity.decode(answer)
                path = place.path + b"/items/" + made.id.encode()
                place.items.append(Item(path, number, made.version, "draft"))
                place.about(made.id, grammar.topic_of(self._seed, place.number, number).number)

        return self._post(operation, person, place.path + b"/items", body, drafted, wants_body=True)

    def _add_comment(self, operation: int, person: Person) -> Ask | None:
        place = self._place_for(person, 1)
        if place is None or not place.items:
            return None
        item = self._luck.choice(place.items)
        body = msgspec.json.encode({"text": grammar.remark(self._seed, place.number, item.number, self._luck)})
        return self._post(operation, person, item.path + b"/comments", body, None)

    def _edit_item(self, operation: int, person: Person) -> Ask | None:
        place = self._place_for(person, 1)
        item = None if place is None else self._free(place, "draft")
        if place is None or item is None:
            return None
        edition = 1 + int(self._luck.random() * (grammar.EDITIONS - 1))
        body = msgspec.json.encode({"body": grammar.body(self._seed, place.number, item.number, edition)})
        return self._step(operation, person, item, b"", body, "draft", verb=b"PATCH ")

    def _submit_item(self, operation: int, person: Person) -> Ask | None:
        place = self._place_for(person, 1)
        item = None if place is None else self._free(place, "draft")
        return None if item is None else self._step(operation, person, item, b"/submit", b"", "pending")

    def _approve_item(self, operation: int, person: Person) -> Ask | None:
        place = self._place_for(person, 2)
        item = None if place is None else self._free(place, "pending")
        return None if item is None else self._step(operation, person, item, b"/approve", b"", "approved")

    def _free(self, place: Place, state: str) -> Item | None:
        """An item in the state that nobody is changing just now."""
        for _ in range(min(TRIES, len(place.items))):
            item = place.items[int(self._luck.random() * len(place.items))]
            if item.state == state and not item.busy:
                return item
        return None

    def _step(
        self,
        operation: int,
        person: Person,
        item: Item,
        step: bytes,
        body: bytes,
        state: str,
        *,
        verb: bytes = b"POST ",
    ) -> Ask:
        item.busy = True

        def done(status: int, version: int, answer: bytes) -> None:
            item.busy = False
            if status == 200 and version:
                item.version, item.state = version, state
            else:
                item.state = ""  # nobody knows now: it is left alone

        return self._post(operation, person, item.path + step, body, done, verb=verb, version=item.version)
