"""Snippets: plain text around the words, cut where a reader sees no cut. Queries: what is wanted, what not."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ventures.search.queries import parsed
from ventures.search.snippets import BEGIN, END, snippet, words_in

CLUSTERS = ("e\u0301", "👩‍👩‍👧", "🇩🇪", "👍🏽", "각", "\u1100\u1161\u11a8", "नि", "a", "é", "茶")
pieces = st.lists(st.sampled_from([*CLUSTERS, " ", " ", f"{BEGIN}tea{END}"]), min_size=90, max_size=140).map("".join)
anything = st.text(alphabet=st.characters(codec="utf-8"), max_size=600)
marked = st.lists(st.one_of(st.sampled_from([BEGIN, END, "<b>", "«", "»", "\u202e", "\x07"]), anything), max_size=8)


@given(marked.map("".join), st.integers(1, 300))
def test_whatever_the_text_is_the_snippet_is_short_plain_and_well_marked(text: str, most: int) -> None:
    shown = snippet(text, most)
    assert BEGIN not in shown
    assert END not in shown
    assert not any(unicodedata.category(one) in ("Cc", "Cs") or one == "\u202e" for one in shown)
    depth = 0
    for one in shown:
        depth += (one == "«") - (one == "»")
        assert depth in (0, 1)
    assert depth == 0
    assert len(shown.replace("«", "").replace("»", "").strip("…")) <= most


@given(pieces, st.integers(1, 40))
def test_no_cut_goes_through_what_a_reader_takes_for_one_character(text: str, most: int) -> None:
    plain = " ".join(text.replace(BEGIN, "").replace(END, "").split())
    shown = snippet(text, most).replace("«", "").replace("»", "")
    cut_before, cut_behind = shown.startswith("…"), shown.endswith("…")
    inner = shown.removeprefix("…").removesuffix("…")
    assert inner in plain
    if not inner:
        return
    starts = {0}
    at = 0
    while at < len(plain):
        at += next((len(one) for one in sorted(CLUSTERS, key=len, reverse=True) if plain.startswith(one, at)), 1)
        starts.add(at)
    places = [at for at in range(len(plain)) if plain.startswith(inner, at)]
    assert any((at in starts or not cut_before) and (at + len(inner) in starts or not cut_behind) for at in places), (
        plain,
        shown,
    )


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_a_text_of_one_character_without_a_space_is_cut_between_two_of_them(cluster: str) -> None:
    for most in range(1, 30):
        for before in (0, 70):
            shown = snippet(cluster * before + f"{BEGIN}x{END}" + cluster * 40, most)
            for added in "«»…x":
                shown = shown.replace(added, "")
            assert not shown.replace(cluster, ""), (most, before)


@given(st.lists(st.from_regex(r"[a-z]{1,12}", fullmatch=True), min_size=60, max_size=90), st.data())
def test_the_first_word_that_was_asked_for_is_in_it(words: list[str], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(words) - 1))
    text = " ".join([*words[:at], f"{BEGIN}{words[at]}{END}", *words[at + 1 :]])
    shown = snippet(text)
    assert f"«{words[at]}»" in shown
    for word in shown.strip("…").replace("«", "").replace("»", "").split():
        assert word in words
    assert words_in(text) == (words[at],)


def test_a_short_text_is_shown_whole_and_guillemets_are_marks_alone() -> None:
    assert snippet(f"The {BEGIN}tea{END}\n of  «Oolong» <b>") == "The «tea» of ‹Oolong› <b>"
    assert snippet("") == ""


@pytest.mark.parametrize(
    ("text", "meaning", "phrases", "excluded"),
    [
        ("green tea", "green tea", "", ""),
        ('"green tea" -black leaf', "green tea leaf", '"green tea"', '"black"'),
        ('-"black tea" -sugar', "", "", '"black tea" or "sugar"'),
        ('"unclosed phrase', "unclosed phrase", '"unclosed phrase"', ""),
        ("   ", "", "", ""),
        ('- " | & !', "", "", ""),
        ("x" * 5, "xxxxx", "", ""),
        ("well-known", "well-known", "", ""),
    ],
)
def test_a_query_is_taken_apart(text: str, meaning: str, phrases: str, excluded: str) -> None:
    query = parsed(text)
    assert (query.text, query.meaning, query.phrases, query.excluded) == (text, meaning, phrases, excluded)


@given(st.text(max_size=200))
def test_every_text_is_a_query(text: str) -> None:
    query = parsed(text)
    assert query.phrases.count('"') % 2 == query.excluded.count('"') % 2 == 0
    assert '"' not in query.meaning
