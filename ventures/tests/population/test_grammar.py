"""Laws of the words: always the same, none twice, and a question finds its topic rather than others."""

from pathlib import Path
from random import Random

import numpy as np
import pytest
import wordllama
from hypothesis import given
from hypothesis import strategies as st
from wordllama import WordLlama

from ventures.population import grammar
from ventures.population.vocabulary import audiences, themes, trades
from ventures.search.splitting import split

seeds = st.integers(0, 2**31 - 1)
ventures = st.integers(0, 40_000)
items = st.integers(0, 6_000)


@given(seeds, ventures, items, st.integers(0, grammar.EDITIONS - 1))
def test_texts_are_always_the_same_and_as_long_as_people_write(
    seed: int, venture: int, item: int, edition: int
) -> None:
    text = grammar.body(seed, venture, item, edition)
    grammar.topic_of.cache_clear()
    grammar.brand.cache_clear()
    assert text == grammar.body(seed, venture, item, edition)
    for paragraph in text.split("\n\n"):
        assert grammar.LEAST_WORDS <= len(paragraph.split()) <= grammar.MOST_WORDS
        assert grammar.LEAST_CHARACTERS <= len(paragraph) <= grammar.MOST_CHARACTERS
        assert "{" not in paragraph
    assert split(text).texts == text.split("\n\n")  # each paragraph is a passage of search
    assert 1 <= len(grammar.title(seed, venture, item)) <= 300


def test_no_two_passages_are_alike() -> None:
    said = [
        paragraph
        for venture in (0, 1, 2, 77)
        for item in range(120)
        for edition in range(3)
        for paragraph in grammar.body(1, venture, item, edition).split("\n\n")
    ]
    unedited = [
        paragraph
        for venture in (0, 1, 2, 77)
        for item in range(120)
        for paragraph in grammar.body(1, venture, item).split("\n\n")
    ]
    assert len(set(unedited)) == len(unedited)
    assert len(set(said)) == len(unedited) + 2 * 4 * 120  # an edit writes one paragraph anew


@given(st.lists(st.integers(0, grammar.BRANDS - 1), min_size=2, max_size=2, unique=True), seeds)
def test_no_two_ventures_have_one_name(numbers: list[int], seed: int) -> None:
    assert grammar.brand(seed, numbers[0]) != grammar.brand(seed, numbers[1])


@given(st.lists(items, min_size=2, max_size=2, unique=True), ventures)
def test_no_two_items_of_a_venture_have_one_title(numbers: list[int], venture: int) -> None:
    assert grammar.title(1, venture, numbers[0]) != grammar.title(1, venture, numbers[1])


@given(ventures, items)
def test_what_an_item_is_about_does_not_depend_on_how_many_there_are(venture: int, item: int) -> None:
    topic = grammar.topic_of(1, venture, item)
    assert topic is grammar.topics(1, venture)[topic.number]
    assert topic.number < grammar.topics_at(item) <= grammar.MOST_TOPICS
    assert topic.product.name in grammar.paragraph(1, venture, item, 0)


passages = st.tuples(st.integers(0, 2), st.integers(0, grammar.PARAGRAPHS - 1), st.integers(0, grammar.EDITIONS - 1))


@given(st.lists(passages, min_size=2, max_size=2, unique=True), ventures)
def test_every_passage_names_its_venture_and_a_title_that_no_other_has(
    two: list[tuple[int, int, int]], venture: int
) -> None:
    assert grammar.working_title(*two[0]) != grammar.working_title(*two[1])
    said = grammar.paragraph(1, venture, *two[0])
    assert grammar.working_title(*two[0]) in said
    assert grammar.brand(1, venture) in said


def test_topics_of_a_venture_differ() -> None:
    for venture in range(50):
        known = grammar.topics(1, venture)
        assert len({(topic.product.name, topic.theme.label) for topic in known}) == len(known)


@given(ventures, st.integers(0, grammar.MOST_TOPICS - 1), st.integers())
def test_a_question_is_no_stored_text(venture: int, number: int, luck: int) -> None:
    asked = grammar.question(1, venture, grammar.topics(1, venture)[number], Random(luck))
    assert asked.topic == number
    assert 3 <= len(asked.text.split()) <= 30
    stored = " ".join(grammar.title(1, venture, item) + " " + grammar.body(1, venture, item) for item in range(8))
    assert asked.text.lower() not in stored.lower()


def test_names_that_only_questions_use_stand_in_no_template() -> None:
    sentences = " ".join(sentence for theme in themes() for sentence in theme.sentences).lower()
    for named in [*audiences(), *(product for trade in trades() for product in trade.products)]:
        assert named.asked_as.lower() not in sentences
        assert named.asked_as != named.name


@pytest.mark.parametrize(("count", "times_chance"), [(60, 3.0), (300, 5.0)])
def test_questions_rank_what_they_are_about_above_the_rest(count: int, times_chance: float) -> None:
    model = WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
    venture, texts, owners = 7, [], []
    for item in range(count):
        title = grammar.title(1, venture, item)
        for paragraph in grammar.body(1, venture, item).split("\n\n"):
            texts.append(f"{title}\n{paragraph}")
            owners.append(item)
    vectors = model.embed(texts, norm=True)
    about = [grammar.topic_of(1, venture, item).number for item in range(count)]
    luck, found, by_chance = Random(1), [], []
    for _ in range(120):
        topic = grammar.topics(1, venture)[luck.choice(about)]
        asked = model.embed([grammar.question(1, venture, topic, luck).text], norm=True)[0]
        ranked = list(dict.fromkeys(owners[place] for place in np.argsort(-(vectors @ asked))))[:10]
        relevant = about.count(topic.number)
        found.append(sum(about[item] == topic.number for item in ranked) / min(10, relevant))
        by_chance.append(10 * relevant / count / min(10, relevant))
    assert np.mean(found) > times_chance * np.mean(by_chance)
    assert np.mean(found) > 0.4
