"""Each lint finds what it is there for, and nothing in what is right."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from checks.core_purity import impurities_in
from checks.privacy import private_words
from checks.rooms import rooms_without_a_door


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("import time", True),
        ("from datetime import datetime\ndatetime.now()", True),
        ("import numpy as np\nnp.random.default_rng()", True),
        ("import numpy as np\nnp.random.default_rng(7)", False),
        ("import socket", True),
        ("from urllib.request import urlopen", True),
        ("open('x')", True),
        ("from datetime import datetime, UTC\ndatetime.fromtimestamp(0, UTC)", False),
    ],
)
def test_the_core_may_not_reach_out(line: str, found: bool) -> None:
    assert bool(list(impurities_in(line, "x.py"))) is found


def test_a_room_says_what_comes_in_and_out(tmp_path: Path) -> None:
    room = tmp_path / "outgrow" / "src" / "outgrow" / "room"
    room.mkdir(parents=True)
    (room / "__init__.py").write_text('"""A drawer."""')
    assert len(list(rooms_without_a_door(tmp_path))) == 1
    (room / "__init__.py").write_text('"""In: a. Out: b."""')
    assert not list(rooms_without_a_door(tmp_path))


def test_private_words_are_found(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "a.md").write_text("see /" + "root/x\n")
    (tmp_path / "b.md").write_text("see https://example.org/work/\n")
    subprocess.run(["git", "add", "-A"], cwd=tmp_path, check=True)
    assert [finding.split(":")[0] for finding in private_words(tmp_path)] == ["a.md"]
