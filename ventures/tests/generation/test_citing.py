"""Laws of marks: invented ones go, given ones stay, however the text comes."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ventures.generation.citing import MARKS, Citing, without_marks

parts = st.sampled_from(
    [" ", "[", "]", "[1]", " [9]", "[1, 2]", "[2,12 ]", "[1,", "0", "tea", ".", "\n", "[2026]", "[["]
)
texts = st.lists(parts, max_size=12).map("".join) | st.text(max_size=30)


def checked(text: str, given: int, cuts: list[int]) -> tuple[str, Citing]:
    citing = Citing(given)
    places = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    pieces = [citing.fed(text[start:end]) for start, end in pairwise(places)]
    return "".join(pieces) + citing.ended(), citing


@given(texts, st.integers(0, 12), st.lists(st.integers(0, 100), max_size=20))
def test_how_a_text_is_cut_makes_no_difference(text: str, given: int, cuts: list[int]) -> None:
    whole, at_once = checked(text, given, [])
    pieces, piecewise = checked(text, given, cuts)
    assert pieces == whole
    assert (piecewise.unsupported, piecewise.used) == (at_once.unsupported, at_once.used)


@given(texts, st.integers(0, 12))
def test_every_mark_that_was_there_is_used_or_counted(text: str, given: int) -> None:
    marks = [int(mark) for found in MARKS.finditer(text) for mark in found[1].split(",")]
    _, citing = checked(text, given, [])
    assert citing.used == {mark for mark in marks if 1 <= mark <= given}
    assert citing.unsupported == sum(not 1 <= mark <= given for mark in marks)


@given(st.text(alphabet=st.characters(exclude_characters="["), max_size=60), st.integers(0, 5))
def test_what_has_no_mark_stays_as_it_is(text: str, given: int) -> None:
    assert checked(text, given, [3, 7])[0] == text


def test_an_invented_mark_goes_with_the_space_before_it() -> None:
    text, citing = checked("Half oxidised [1]. Blue [9]. Both [2, 7], a year [2026], a list [1,2].", 2, [])
    assert text == "Half oxidised [1]. Blue. Both [2], a year [2026], a list [1][2]."
    assert (citing.unsupported, citing.used) == (2, {1, 2})
    assert without_marks(text) == "Half oxidised. Blue. Both, a year [2026], a list."


def test_an_endless_mark_is_none() -> None:
    text = "[1" + ",1" * 20_000
    assert checked(text, 3, list(range(0, 40_000, 100)))[0] == text
