"""Laws of extractive drafts: word for word, each sentence once, each with its mark."""

from uuid import UUID

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ventures.generation.extracting import chosen, put_together, sentences
from ventures.generation.patterns import PATTERNS
from ventures.search.api import Passage
from ventures.testing.generation import WordEmbedder

ID = UUID(int=7)
texts = st.lists(
    st.sampled_from(
        [
            "Oolong is a tea between green and black.",
            "It is oxidised by half, and rolled by hand!",
            "# Where it grows",
            "Most of it grows in Fujian and on Taiwan.",
            "Short.",
            "See the table [3] for all of the prices.",
            "It is oxidised by half, and rolled by hand!",
        ]
    ),
    max_size=8,
).map(" ".join)


def passages(*said: str) -> list[Passage]:
    return [Passage(ID, ID, "Tea", text, 1) for text in said]


@given(st.lists(texts, max_size=4))
def test_sentences_are_of_their_passage_word_for_word_and_once(said: list[str]) -> None:
    found = sentences(passages(*said))
    assert len({one.text for one in found}) == len(found)
    for one in found:
        assert one.text in " ".join(said[one.mark - 1].split())


async def test_the_nearest_come_first_and_what_says_the_same_does_not() -> None:
    said = [
        "Oolong grows in the mountains of Taiwan.",
        "Oolong grows in the mountains of Taiwan!",
        "Our office closes at noon on Fridays always.",
        "Oolong leaves are rolled before they are roasted.",
    ]
    embedder = WordEmbedder()
    vectors = await embedder.embed(said)
    (instruction,) = await embedder.embed(["Oolong mountains of Taiwan"])
    assert set(chosen(instruction, vectors, 2)) in ({0, 3}, {1, 3})
    assert sorted(chosen(instruction, vectors, 9)) == [0, 1, 2, 3]


@given(st.integers(1, 12), st.integers(1, 8), st.integers(0, 12))
def test_choosing_takes_as_many_as_there_are_and_none_twice(rows: int, dimension: int, most: int) -> None:
    random = np.random.default_rng(rows * 100 + dimension)
    vectors = random.normal(size=(rows, dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = chosen(vectors[0], vectors, most)
    assert len(found) == len(set(found)) == min(rows, most)
    assert not most or found[0] == int(np.argmax(vectors @ vectors[0]))


def test_the_text_cites_each_sentence_and_nothing_else() -> None:
    found = sentences(passages("Oolong is a tea. See the table [3] for prices.", "Most of it grows on Taiwan."))
    assert put_together(found, None) == "See the table (3) for prices. [1]\n\nMost of it grows on Taiwan. [2]"
    listed = put_together(found, "weekly-digest")
    assert listed == "- See the table (3) for prices. [1]\n- Most of it grows on Taiwan. [2]"
    assert PATTERNS["weekly-digest"].points
