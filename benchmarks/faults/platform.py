"""The platform under a move of its index: ``ventures serve``, people who write through its API, and the tool.

The move is a filling one: both layouts fill themselves from PostgreSQL, the tool copies nothing. What must hold is that
a search in the layout that a route names finds every acknowledged item, as it was written last, once, and no other.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import UUID

import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own

from benchmarks.faults.notes import Noted
from benchmarks.faults.platform_writer import EMAIL, PASSWORD_FILE, body_of, said_by, signed_in, title_of
from benchmarks.faults.world import Database, Stuck, Tool, World, until
from ventures.client import Client, ClientError
from ventures.client.records import NewAccount, NewVenture, SearchPage
from ventures.database import embedded
from ventures.search.routes import POINT
from ventures.testing.serving import Kind, Serving, serving

LAYOUTS = ("shared", "buckets", "pgvector", "tuned", "per-venture")
"""The first is where ventures are that have no route."""
CAUGHT_UP_SECONDS, LATE_ANSWERS = 60.0, 5
"""An index process that dies again and again is started again after ten seconds, and opens its stores then."""
SAME = 0.8
"""How near what is asked, an item's own text, is to its vector at least (0.95 in 200 texts); to that of an older text
of the item 0.62 at most."""
MOST_HITS = 100
FOREIGN = 10**6
"""Hits that are of nobody here are told under numbers from here on."""
KEPT = "SELECT DISTINCT target FROM regional.consumer_position WHERE venture = %s AND consumer = 'vectors'"
MODULES = ("ventures.outgrow_plugin.moving", "outgrow.movers.registering")


@dataclass
class PlatformWorld(World):
    """Of a platform that runs. ``tenants``: how many numbers each venture is written under, by the platform's ids."""

    tool_share: float = 0.6
    point: str = POINT
    pause_seconds: float = 0.1
    pace: dict[str, Any] = field(default_factory=lambda: {"first_wave": 1000})
    dice: random.Random = field(default_factory=random.Random)
    """What draws the layouts that are moved to."""
    served: Serving = field(kw_only=True)
    client: Client = field(kw_only=True)

    def __post_init__(self) -> None:
        self.url = embedded.addresses(self.served.data).superuser
        self.noted = Noted(self.folder)
        self.stores = (LAYOUTS[0], LAYOUTS[1])
        self.places = {tenant: place for place, tenant in enumerate(self.tenants)}
        self.declare()

    def declare(self) -> None:
        """The declared file; ``ventures lookout`` prints a longer one with the same migration in it."""
        data = self.served.data
        parts = urlsplit(embedded.addresses(data).owner)
        name = parts.netloc.rpartition("@")[0].partition(":")[0]
        found = parts._replace(
            netloc=f"{name}@{parts.netloc.rpartition('@')[2]}",
            query=f"{parts.query}&passfile={quote(str(embedded.password_file(data)), safe='')}",
        )
        self._declare({"kind": "ventures-index"}, self.stores, urlunsplit(found))

    def turned(self) -> None:
        """The next migration goes on from where this one led, to a layout that is drawn."""
        here = self.stores[1]
        self.stores = (here, self.dice.choice([one for one in LAYOUTS if one != here]))
        self.declare()

    def unsettle(self) -> None:
        """Nothing beside kills."""

    def others(self) -> tuple[str, ...]:
        """The processes of the platform."""
        return ("index", "worker", "api", "postgresql")

    def kill(self, who: str, dice: random.Random) -> None:
        """One of ``others``, with -9; the platform itself starts it again."""
        kind = cast("Kind", "postmaster" if who == "postgresql" else who)
        until(lambda: bool(self.served.processes(kind)), CAUGHT_UP_SECONDS, f"{who} was not started again")
        with suppress(psutil.NoSuchProcess):
            dice.choice(self.served.processes(kind)).kill()

    def start_writers(self, numbers: Any = None) -> None:
        """All, or these; as ``platform_writer``."""
        self._start_writers(numbers, "benchmarks.faults.platform_writer", self.served.url, LAYOUTS[0])

    # What must hold

    def caught_up(self) -> None:
        """Returns once every venture's search is answered by the layout that its route names, which knows all of it;
        raises ``Stuck`` where that does not come about by itself."""
        end, why = time.monotonic() + CAUGHT_UP_SECONDS, ""
        for tenant in self.tenants:
            while (why := self._lacks(tenant)) and time.monotonic() < end:
                time.sleep(0.1)
            if why:
                raise Stuck(f"the index does not catch up in {CAUGHT_UP_SECONDS:.0f} s, in {tenant}: {why}")

    def _lacks(self, tenant: str) -> str:
        try:
            page = self._search(tenant, "what is there")
        except ClientError as error:
            return str(error)
        if page.because is not None:
            return page.because
        return "" if page.as_of >= page.head else f"{page.as_of} of {page.head} events"

    def _search(self, tenant: str, text: str, *items: UUID) -> SearchPage:
        return self.client.search.search(UUID(tenant), q=text, item=items or None, limit=MOST_HITS, explain=True)

    def _asked(self, tenant: str, text: str, item: UUID) -> SearchPage:
        """Answered by the index: a busy machine may be later than a search waits for it."""
        for _ in range(LATE_ANSWERS):
            page = self._search(tenant, text, item)
            if page.because is None:
                return page
            self.caught_up()
        raise Stuck(f"the index of {tenant} went away while nothing was killed: {page.because}")

    def held(self, store: str, tenant: str) -> dict[int, str]:
        """What a search finds by meaning, by number; ``store`` is where the route leads."""
        del store
        self.caught_up()
        listed = {item.id: said_by(item) for item in self.client.content.list_items(UUID(tenant))}
        if len({number for number, _ in listed.values()}) != len(listed):
            raise Stuck(f"an item is there twice in {tenant}: {sorted(listed.values())}")
        found = dict[int, str]()
        for item, (number, value) in listed.items():
            page = self._asked(tenant, f"{title_of(number, value)}\n{body_of(value)}", item)
            near = [one.reason.similarity for one in page.items if one.reason and one.reason.vector_rank is not None]
            if len(near) > 1:
                raise Stuck(f"item {number} of {tenant} is found {len(near)} times")
            if near:
                found[number] = value if (near[0] or 0.0) >= SAME else f"{value}, as near as {near[0]}"
        every = self._search(tenant, "what is there").items
        strangers = [hit for hit in every if hit.item not in listed or str(hit.venture) != tenant]
        found |= {FOREIGN + place: f"item {hit.item} of {hit.venture}" for place, hit in enumerate(strangers)}
        return found

    def left_over(self) -> None:
        """Returns once no layout but the routed one holds anything of a venture any more, after a move; raises
        ``Stuck``."""
        for tenant in self.tenants:
            routed = self.store_of(tenant)
            until(
                lambda tenant=tenant, routed=routed: self._kept(tenant) <= {routed},  # type: ignore[misc]
                CAUGHT_UP_SECONDS,
                f"{tenant} is in {routed}, and still held by {', '.join(sorted(self._kept(tenant) - {routed}))}",
            )

    def _kept(self, tenant: str) -> set[str]:
        return {str(target).partition("@")[0].partition("/")[0] for (target,) in self.ask(KEPT, tenant)}

    def close(self) -> None:
        """Ends the writers."""
        for one in self._writing.values():
            one.kill()
            one.wait()
        if self._session is not None:
            self._session.close()


@contextmanager
def platform(folder: Path, seed: str, ventures: int = 3, items: int = 10) -> Iterator[PlatformWorld]:
    """A platform of so many ventures, each written under so many numbers; all of it is gone afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)  # a PostgreSQL that root starts runs as another account
    password = folder / PASSWORD_FILE
    password.touch(mode=0o600)
    password.write_text(secrets.token_urlsafe(24), encoding="utf-8")
    account = NewAccount(email=EMAIL, password=password.read_text(encoding="utf-8"), name="Writer")
    with ExitStack() as stack:
        settings = {"VENTURES_API_PROCESSES": "1", "VENTURES_INDEX_LAYOUT": LAYOUTS[0]}
        served = stack.enter_context(serving(folder / "data", **settings))
        with Client(served.url) as nobody:
            nobody.accounts.sign_up(account)
        client = stack.enter_context(signed_in(served.url, folder))
        tenants = dict[str, int]()
        for number in range(ventures):
            made = client.ventures.found_venture(NewVenture(name=f"Venture {number}", display_name="Writer"))
            tenants[str(made.id)] = items
        ours = {name: value for name, value in served.environment.items() if name.startswith("VENTURES_")}
        tool = Tool(folder / "plugins", MODULES, **ours)
        stack.callback(tool.close)
        dice = random.Random(f"layouts of {seed}")
        world = PlatformWorld(folder, "index", Database(), tool, tenants, dice=dice, served=served, client=client)
        stack.callback(world.close)
        yield world
