"""Laws of splitting: nothing is lost, nothing is empty, nothing is too long, and it is always the same."""

from uuid import UUID

from hypothesis import example, given
from hypothesis import strategies as st

from ventures.search.splitting import MOST_CHARACTERS, MOST_PASSAGES, embedded, passage_id, split
from ventures.vectors.api import Kind

pieces = st.sampled_from(
    ["tea", "Tea. ", "\n", "\n\n", "\r\n \t\n", "x" * 701, "A sentence! ", "。茶", "”", "\u2003", "…"]
)
prose = st.lists(pieces | st.text(max_size=40), max_size=60).map("".join)


def without_spaces(text: str) -> str:
    return "".join(text.split())


@given(prose)
@example("x" * (2 * MOST_CHARACTERS - 1) + "。")
def test_passages_are_the_text_but_for_the_spaces_between_them(text: str) -> None:
    texts, left_out = split(text)
    assert left_out == 0
    assert without_spaces("".join(texts)) == without_spaces(text)
    assert all(0 < len(one) <= MOST_CHARACTERS and one == one.strip() for one in texts) or texts == [""]


@given(prose)
def test_any_two_passages_in_a_row_are_more_than_one(text: str) -> None:
    assert len(split(text).texts) <= 2 * len(text) / MOST_CHARACTERS + 1


def test_paragraphs_stay_whole_and_sentences_where_they_do_not_fit() -> None:
    short, long = "A short paragraph.", "A sentence of some words. " * 40
    texts = split(f"{short}\n\n{long}\n\n{short}").texts
    assert texts[0].startswith(short)
    assert all(one.endswith(".") for one in texts)


def test_a_blank_text_is_one_passage_of_its_title() -> None:
    assert split(" \n ").texts == [""]
    assert embedded("Oolong", 0, "") == "Oolong\n"
    assert (embedded("Oolong", 0, "A tea."), embedded("Oolong", 1, "A tea.")) == ("Oolong\nA tea.", "A tea.")


def test_what_is_beyond_the_most_passages_is_counted() -> None:
    texts, left_out = split("x" * MOST_CHARACTERS * MOST_PASSAGES + " beyond")
    assert (len(texts), left_out) == (MOST_PASSAGES, len("beyond"))


def test_the_longest_body_is_not_cut_and_takes_no_time() -> None:
    for body in ("x." * 100_000, "\n\n".join("x" for _ in range(66_000)), "\n" + " " * 199_000 + "x", '."' * 100_000):
        assert split(body).left_out == 0


def test_ids_are_of_source_kind_and_place() -> None:
    item = UUID(int=1)
    assert passage_id(item, Kind.CONTENT, 3) == passage_id(item, Kind.CONTENT, 3)
    ids = {passage_id(UUID(int=n), kind, place) for n in (1, 2) for kind in Kind for place in range(3)}
    assert len(ids) == 2 * len(Kind) * 3
