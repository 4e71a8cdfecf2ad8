"""How commands are shown and run."""

import os
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.telling import MODULES, Teller, cropped, folded, indented, milliseconds


@given(st.lists(st.text("abc-09/:", min_size=1, max_size=20), min_size=1, max_size=20), st.integers(60, 120))
def test_a_folded_command_is_the_command(words: list[str], width: int) -> None:
    typed = folded(words, width)
    assert shlex.split(typed.replace("\\\n", " ")) == words
    assert all(len(f"$ {line}") <= width for line in typed.split("\n"))


def test_a_short_command_is_one_line_and_a_long_one_goes_on() -> None:
    assert folded(("outgrow", "status"), 80) == "outgrow status"
    assert folded(("ventures", "load", "--users", "900"), 24) == "ventures load \\\n    --users 900"
    assert folded(("ventures", "load", "--only", "search"), 32) == "ventures load \\\n    --only search"


def test_what_goes_on_stays_under_itself() -> None:
    assert indented("  it breaks at 300 users", 16) == ["  it breaks at", "  300 users"]
    assert indented("  90 users  ▇▇▇    ┊", 40) == ["  90 users  ▇▇▇    ┊"], "figures stay where they are"


def test_a_line_that_is_too_long_ends_in_dots() -> None:
    assert cropped("123456", 6) == "123456"
    assert cropped("1234567", 6) == "12345…"


def test_small_times_have_a_digit_more() -> None:
    assert [milliseconds(one) for one in (None, 0.0011, 0.0094, 0.0096, 0.12)] == [
        "–", "1.1 ms", "9.4 ms", "10 ms", "120 ms",
    ]  # fmt: skip


@pytest.mark.parametrize("gently", [False, True])
def test_what_runs_gently_gives_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gently: bool) -> None:
    (tmp_path / "niceness.py").write_text("import os; print(os.nice(0))")
    monkeypatch.setitem(MODULES, "outgrow", "niceness")
    teller = Teller({"PATH": "/usr/bin:/bin"}, tmp_path, plain=True)
    assert int(teller.run("outgrow", "x", gently=gently).out) == (19 if gently else os.nice(0))
