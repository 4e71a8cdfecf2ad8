"""A room that is entered beside its door is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.ventures_rooms import PACKAGE, crossings, rooms_without_a_door, unlisted

ROOMS = {"content", "posts", "log", "database", "http", "workers", "cli", "testing", "client"}


@pytest.mark.parametrize(
    ("file", "line", "found"),
    [
        ("posts/commands.py", "from ventures.content.api import Item", False),
        ("posts/commands.py", "from ventures.content import api", False),
        ("posts/commands.py", "import ventures.content.api", False),
        ("posts/commands.py", "from ventures.posts import sql", False),
        ("posts/commands.py", "from ventures.database.scope import Scope", False),
        ("posts/commands.py", "from ventures.errors import NotFound", False),
        ("posts/commands.py", "import msgspec", False),
        ("posts/commands.py", "from ventures.content import sql", True),
        ("posts/commands.py", "from ventures.content.events import Drafted", True),
        ("posts/commands.py", "import ventures.content.sql as theirs", True),
        ("posts/commands.py", "from ventures import content", True),
        ("posts/commands.py", "def f():\n    from ventures.content.events import Drafted", True),
        ("posts/commands.py", "from ventures.database._pool import x", True),
        ("posts/commands.py", "from ventures.testing.postgres import server", True),
        ("wiring.py", "from ventures.content.events import Drafted", False),
        ("wiring.py", "from ventures.content import _private", True),
        ("wiring.py", "from ventures.testing import postgres", True),
        ("testing/fakes.py", "from ventures.content.events import Drafted", False),
        ("cli/serve.py", "from ventures.workers.supervisor import serve", False),
        ("content/api.py", "from ventures.http.app import application", True),
        ("client/calls.py", "from ventures.errors import Refused", True),
        ("client/calls.py", "from ventures.client.pages import Page", False),
    ],
)
def test_a_room_is_entered_at_its_door(file: str, line: str, found: bool) -> None:
    assert bool(list(crossings(line, PACKAGE / file, ROOMS))) is found


def test_a_door_lists_what_it_lets_out() -> None:
    assert list(unlisted("from a import b", "api.py"))
    assert not list(unlisted('from a import b\n__all__ = ["b"]', "api.py"))


def test_a_room_says_what_comes_in_and_out(tmp_path: Path) -> None:
    room = tmp_path / PACKAGE / "content"
    room.mkdir(parents=True)
    (room / "commands.py").write_text("")
    assert any("without __init__" in each for each in rooms_without_a_door(tmp_path))
    (room / "__init__.py").write_text('"""A drawer."""')
    assert any("In:" in each for each in rooms_without_a_door(tmp_path))
    (room / "__init__.py").write_text('"""In: a. Out: b."""')
    assert not list(rooms_without_a_door(tmp_path))
