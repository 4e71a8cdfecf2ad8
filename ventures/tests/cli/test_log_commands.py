"""`ventures audit` and `ventures consumers`, on a venture whose log is spoiled in every way that they must notice."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import psycopg
import pytest

from ventures.content.api import DraftItem
from ventures.database.roles import Addresses
from ventures.identifiers import new_id
from ventures.log.api import Actor
from ventures.settings import read
from ventures.tenancy.api import FoundVenture
from ventures.testing.postgres import fresh_database
from ventures.wiring import open_platform

SECRET = "x" * 43


@dataclass
class World:
    """A database with one venture of four events."""

    addresses: Addresses
    venture: UUID

    def ventures(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The command line on this database."""
        others = {n: v for n, v in os.environ.items() if not n.startswith(("VENTURES_", "DATABASE_URL"))}
        return subprocess.run(
            [sys.executable, "-m", "ventures.cli", *words],
            env=others
            | {
                "DATABASE_URL": self.addresses.app,
                "VENTURES_SECRET": SECRET,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def spoil(self, statement: str) -> None:
        """As somebody who can write to the database."""
        with psycopg.connect(self.addresses.superuser, autocommit=True) as connection:
            connection.execute(statement.encode())


async def _furnished(addresses: Addresses) -> UUID:
    settings = read({"DATABASE_URL": addresses.app, "VENTURES_SECRET": SECRET})
    async with open_platform(settings, addresses.app) as platform:
        venture, anna = new_id(), Actor(account=new_id())
        await platform.spine.append(venture, FoundVenture(name="Bakery", display_name="Anna"), actor=anna)
        for title in ("Bread", "Cake"):
            await platform.spine.append(venture, DraftItem(title=title, body="…"), actor=anna)
        return venture


@pytest.fixture
def world() -> Iterator[World]:
    with fresh_database() as addresses:
        yield World(addresses, asyncio.run(_furnished(addresses)))


def test_audit_shows_who_did_what_and_that_all_is_well(world: World) -> None:
    shown = world.ventures("audit", str(world.venture), "--verify", "--plain")
    assert shown.returncode == 0, shown.stderr
    assert [line.split("\t")[3] for line in shown.stdout.splitlines()] == [
        "tenancy.venture_founded",
        "tenancy.member_joined",
        "content.item_drafted",
        "content.item_drafted",
    ]
    assert "replaying 4 events from nothing gives exactly the" in shown.stderr
    assert "every hash follows" in shown.stderr


def test_audit_of_one_entity_and_from_a_number(world: World) -> None:
    told = json.loads(world.ventures("audit", str(world.venture), "--after", "3", "--json").stdout)
    (event,) = told["events"]
    assert (event["seq"], event["data"]["title"]) == (4, "Cake")
    found = json.loads(world.ventures("audit", str(world.venture), "--entity", event["entity"], "--json").stdout)
    assert [one["seq"] for one in found["events"]] == [4]


@pytest.mark.parametrize("spoiled", ["actor = 'account:somebody-else'", "type = 'no.such_thing'", "data = '[]'"])
def test_audit_notices_a_changed_event(world: World, spoiled: str) -> None:
    world.spoil(f"UPDATE regional.event SET {spoiled} WHERE seq = 3")
    shown = world.ventures("audit", str(world.venture), "--verify")
    assert shown.returncode == 1
    assert "TAMPERED: event 3 is not what was appended" in shown.stderr


def test_audit_notices_a_changed_row(world: World) -> None:
    world.spoil("UPDATE regional.item SET title = 'Poison' WHERE title = 'Cake'")
    told = world.ventures("audit", str(world.venture), "--verify", "--json")
    assert told.returncode == 1
    differences = json.loads(told.stdout)["differences"]
    assert [(one["table"], one["where"]) for one in differences] == [("item", "replayed"), ("item", "stored")]


def test_a_head_kept_elsewhere_shows_a_log_that_was_rewritten_as_a_whole(world: World) -> None:
    head = json.loads(world.ventures("audit", str(world.venture), "--json").stdout)["head"]
    known = f"{head['seq']}:{head['hash']}"
    assert world.ventures("audit", str(world.venture), "--known", known).returncode == 0
    shown = world.ventures("audit", str(world.venture), "--known", f"{head['seq']}:{'0' * 64}")
    assert shown.returncode == 1
    assert "it was rewritten since that was noted" in shown.stderr


@pytest.mark.parametrize("known", ["", "4", "four:abc", "4:", ":abc", "0:abc", "4:abc"])
def test_a_head_that_is_none_is_no_traceback(world: World, known: str) -> None:
    shown = world.ventures("audit", str(world.venture), "--known", known)
    assert shown.returncode == 2
    assert "Traceback" not in shown.stderr


def test_a_venture_that_is_not_there(world: World) -> None:
    shown = world.ventures("audit", str(new_id()))
    assert shown.returncode != 0
    assert "There is no venture" in shown.stderr
    assert "Traceback" not in shown.stderr


def test_consumers_are_listed_with_their_lag(world: World) -> None:
    told = json.loads(world.ventures("consumers", "list", "--json").stdout)["consumers"]
    assert {one["consumer"] for one in told} >= {
        "directory",
        "notices",
        "webhooks",
        "analytics",
        "publisher",
        "metering",
    }
    assert {one["events"] for one in told} == {4}


def test_what_is_parked_is_shown_tried_again_and_read_anew(world: World) -> None:
    item = "00000000-0000-0000-0000-000000000001"
    world.spoil(
        f"INSERT INTO regional.consumer_position (venture, consumer, seq) VALUES ('{world.venture}', 'analytics', 4);"
        f"INSERT INTO regional.parked_event (venture, consumer, seq, entity, reason, parked_at)"
        f" VALUES ('{world.venture}', 'analytics', 3, '{item}', 'ValueError: for a test', now())"
    )
    shown = world.ventures("consumers", "parked", "analytics")
    assert shown.returncode == 1
    assert "ValueError: for a test" in shown.stdout
    again = world.ventures("consumers", "replay", "analytics")
    assert (again.returncode, "1 handled, 0 still parked" in again.stderr) == (0, True)
    assert world.ventures("consumers", "parked", "analytics").returncode == 0
    assert world.ventures("consumers", "rewind", "analytics").returncode == 2
    assert world.ventures("consumers", "rewind", "analytics", "--all-ventures").returncode == 0
    told = json.loads(world.ventures("consumers", "list", "--json").stdout)["consumers"]
    assert [one["events"] for one in told if one["consumer"] == "analytics"] == [4]


def test_a_consumer_that_is_not_there(world: World) -> None:
    shown = world.ventures("consumers", "replay", "nobody")
    assert shown.returncode == 2
    assert "There are: analytics, directory" in shown.stderr


def test_the_description_of_the_api_needs_nothing_running() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "ventures.cli", "openapi"], capture_output=True, text=True, check=True
    )
    document = json.loads(shown.stdout)
    assert document["openapi"].startswith("3.1")
    assert "/v1/ventures/{venture}/items" in document["paths"]
