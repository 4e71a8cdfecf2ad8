"""The example channel of docs/examples: it comes in by the door of all, and keeps the contract of every channel."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import tomllib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from ventures.errors import Invalid
from ventures.outbound import outbound_client
from ventures.posts import kinds
from ventures.testing.channels import CONTRACT, Fault, Law, Subject
from ventures.testing.loopback import Answer, Drop, Request, serving

DOCS: Final = Path(__file__).resolve().parents[3] / "docs"
PACKAGE: Final = DOCS / "examples" / "board_channel"
LOOPBACK: Final = (ipaddress.ip_network("127.0.0.0/8"),)
QUICK: Final = 0.3
TOKEN: Final = "let-me-in"


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if the package were: its module can be imported, and its entry point is found."""
    monkeypatch.syspath_prepend(str(PACKAGE))
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    own = [EntryPoint(name, value, kinds.GROUP) for name, value in project["entry-points"][kinds.GROUP].items()]
    monkeypatch.setattr(
        kinds, "entry_points", lambda group: [*entry_points(group=group), *(own if group == kinds.GROUP else ())]
    )
    kinds.factories.cache_clear()
    yield
    kinds.factories.cache_clear()


@dataclass
class Notes:
    """A board. `faults`: what happens to the next new notes."""

    url: str = ""
    kept: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    async def handle(self, request: Request) -> Answer | Drop:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return Answer({}, 401)
        if request.method == "GET":
            return Answer({}, 200 if request.path in self.kept else 404)
        fault = self.faults.pop(0) if self.faults and request.path not in self.kept else None
        if fault is None or fault.endswith("_after"):
            self.kept.setdefault(request.path, msgspec.json.decode(request.body)["text"])
        if fault is None:
            return Answer({})
        if fault.startswith("drop"):
            return Drop()
        if fault.startswith("hang"):
            await asyncio.Event().wait()
        return Answer({}, {"refuse": 403, "busy": 429}.get(fault, 500), {"Retry-After": "7"})


@asynccontextmanager
async def on_board() -> AsyncIterator[Subject]:
    notes = Notes()
    async with serving(notes.handle) as url, outbound_client(LOOPBACK, timeout_seconds=QUICK) as client:
        channel = kinds.made("board", {"server": url}, {"token": TOKEN}, client)
        yield Subject(channel, lambda: list(notes.kept.values()), notes.faults.append)


@pytest.mark.parametrize("law", CONTRACT, ids=lambda law: law.__name__)
async def test_contract(law: Law) -> None:
    async with on_board() as subject:
        await law(subject)


@pytest.mark.parametrize(
    ("settings", "credentials"),
    [
        ({}, {"token": "t"}),
        ({"server": "https://example.org"}, {}),
        ({"server": "https://e.org", "x": 1}, {"token": "t"}),
    ],
)
async def test_what_cannot_be_right_is_refused(settings: dict[str, Any], credentials: dict[str, str]) -> None:
    async with outbound_client() as client:
        with pytest.raises(Invalid) as refused:
            kinds.made("board", settings, credentials, client)
    assert refused.value.fields.keys() <= {"settings", "credentials"}


@pytest.mark.parametrize("file", ["board_channel.py", "pyproject.toml"])
def test_the_recipe_shows_the_package_as_it_is(file: str) -> None:
    page = (DOCS / "howto" / "add-a-channel.md").read_text(encoding="utf-8")
    shown = re.findall(rf"<!-- from: {re.escape(file)} -->\n+```\w+\n(.*?)```", page, re.DOTALL)
    assert shown
    for part in shown:
        assert part in (PACKAGE / file).read_text(encoding="utf-8")
