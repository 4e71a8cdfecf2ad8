"""What is written in a population, and what is asked: texts of brands, products, audiences, campaigns and places. Pure.

A venture is a brand of one trade. It has few *topics*, each a product, a theme and an audience, and gets more of them
slowly as it writes. An item is about one topic, and its passages use the words typical of its product and its theme. A
question about a topic says the same in other words; the items of the topic are what it should find.

No two passages of a population are alike: each names its brand, which no other venture has, and a working title that
no other passage of the venture has.
"""

import math
from functools import lru_cache
from random import Random
from typing import Final

import msgspec

from ventures.population.shape import chance, passages_of_item
from ventures.population.vocabulary import MONTHS, Named, Theme, Trade, audiences, people, places, themes, trades

LEAST_WORDS: Final = 40
MOST_WORDS: Final = 105
LEAST_CHARACTERS: Final = 352
MOST_CHARACTERS: Final = 680
"""A passage of search takes 700 characters: each paragraph is one, no two fit into one."""
EDITIONS: Final = 8
PARAGRAPHS: Final = 16
CONSONANTS: Final = "bdfghjklmnprstvzcqwx"
VOWELS: Final = "aeiou"
SYLLABLES: Final = tuple(consonant + vowel for consonant in CONSONANTS for vowel in VOWELS)
BRANDS: Final = len(SYLLABLES) ** 3
TITLES: Final = len(SYLLABLES) ** 4
STRIDE: Final = 61_803_399
"""Without a common factor with 100³ and 100⁴, so that numbers are spread over all words and none is met twice."""
FIRST_TOPICS: Final = 3
MOST_TOPICS: Final = 40
KEYWORDS: Final = 0.3
"""Share of questions that are a few of the stored words in another order."""
OPENINGS: Final = (
    "At {brand} the {product} {trait}.",
    "{brand} makes it for {audience}: the {product} {trait}.",
    "What {audience} like about {brand} is simple, because the {product} {trait}.",
    "Nobody at {brand} expected it, yet the {product} {trait}.",
)
ASIDES: Final = (
    "It also {trait}.",
    "Among {audience} it is known that it {trait}.",
    "The {part} was chosen in {place}, on a {day} in {month}.",
    "{person} and {other} argued about the {part} for {few} evenings.",
    "For {audience} we add a note in plain words.",
    "In {place} they say it {trait}.",
    "{number} letters asked for exactly this.",
    "Ask {person} for the picture with the {part}.",
    "Compared with {month}, {percent} percent more {audience} wrote back.",
    "The tone stays warm, the sentences short.",
)
MARKS: Final = (
    "Working title: {mark}.",
    "Filed under {mark}.",
    "In the plan this is called {mark}.",
    "Keyword for the archive: {mark}.",
)
REMARKS: Final = (
    "Please name the {part} earlier.",
    "Is {place} right, or did we move it to {month}?",
    "I like it; {audience} will too.",
    "Shorter, and with a picture of the {product}.",
    "Legal has no objection since {day}.",
)
DAYS: Final = tuple(
    f"{day}{'st' if day in (1, 21) else 'nd' if day == 22 else 'th'}" for day in (*range(4, 20), 21, 22)
)


class Topic(msgspec.Struct, frozen=True):
    """What a venture writes about. number: its place among the venture's topics."""

    number: int
    product: Named
    theme: Theme
    audience: Named


class Question(msgspec.Struct, frozen=True):
    """What somebody looks for. topic: the number of the venture's topic whose items it should find."""

    text: str
    topic: int


@lru_cache(maxsize=4096)
def brand(seed: int, venture: int) -> str:
    """The name of a venture; no two of a million are the same."""
    return _word(venture * STRIDE + seed, 3)


def person_name(seed: int, user: int) -> str:
    """What a user is called."""
    return f"{chance(seed, 'name', user).choice(people())} {_word(user * STRIDE + 7 * seed, 3)}"


@lru_cache(maxsize=4096)
def topics(seed: int, venture: int) -> tuple[Topic, ...]:
    """All topics the venture will ever have, in the order in which it takes them up; no product and theme twice."""
    luck = chance(seed, "topics", venture)
    trade = trade_of(seed, venture)
    pairs = [(product, theme) for product in trade.products for theme in themes()]
    chosen = luck.sample(pairs, MOST_TOPICS)
    return tuple(
        Topic(number, product, theme, luck.choice(audiences())) for number, (product, theme) in enumerate(chosen)
    )


@lru_cache(maxsize=4096)
def trade_of(seed: int, venture: int) -> Trade:
    """The venture's line of business."""
    return chance(seed, "trade", venture).choice(trades())


def topics_at(item: int) -> int:
    """How many topics a venture has taken up when it writes this item."""
    return min(MOST_TOPICS, FIRST_TOPICS + int(1.6 * math.log2(1 + item)))


@lru_cache(maxsize=4096)
def topic_of(seed: int, venture: int, item: int) -> Topic:
    """What the item is about."""
    number = int(chance(seed, "topic", venture, item).random() * topics_at(item))
    return topics(seed, venture)[number]


def title(seed: int, venture: int, item: int) -> str:
    """Of an item; no two of a venture are the same."""
    topic = topic_of(seed, venture, item)
    return f"{topic.theme.label}: {topic.product.name} for {topic.audience.name} · {working_title(item, 0, 0)}"


def body(seed: int, venture: int, item: int, edition: int = 0) -> str:
    """The item's text as of this edition (0 to 7), its paragraphs with an empty line between them. An edit rewrites one
    paragraph.
    """
    count = passages_of_item(seed, venture, item)
    latest = [0] * count
    for done in range(1, edition + 1):
        latest[(item + done) % count] = done
    return "\n\n".join(paragraph(seed, venture, item, place, latest[place]) for place in range(count))


def paragraph(seed: int, venture: int, item: int, place: int, edition: int = 0) -> str:
    """One passage: 40 to 105 words of 352 to 680 characters."""
    topic, trade = topic_of(seed, venture, item), trade_of(seed, venture)
    luck = chance(seed, "text", venture, item, place, edition)
    typical = luck.sample(topic.theme.sentences, 3)
    others = luck.sample(ASIDES, 6)
    order = [luck.choice(OPENINGS), typical[0], others[0], luck.choice(MARKS), typical[1], others[1], typical[2]]
    written: list[str] = []
    words = characters = 0
    target = luck.randint(LEAST_WORDS, MOST_WORDS - 15)
    for number, template in enumerate([*order, *others[2:]]):
        if number > 3 and words >= target and characters > LEAST_CHARACTERS:
            break
        sentence = _filled(template, luck, topic, trade, brand(seed, venture), working_title(item, place, edition))
        if number > 3 and (
            characters + len(sentence) >= MOST_CHARACTERS or words + sentence.count(" ") + 1 > MOST_WORDS
        ):
            continue
        written.append(sentence)
        words += sentence.count(" ") + 1
        characters += len(sentence) + 1
    return " ".join(written)


def remark(seed: int, venture: int, item: int, luck: Random) -> str:
    """A comment on the item."""
    topic = topic_of(seed, venture, item)
    return _filled(luck.choice(REMARKS), luck, topic, trade_of(seed, venture), brand(seed, venture), "")


def working_title(item: int, place: int, edition: int) -> str:
    """Of a passage; no two of a venture are the same."""
    return _word(((item * PARAGRAPHS + place) * EDITIONS + edition) * STRIDE, 4)


def question(seed: int, venture: int, topic: Topic, luck: Random) -> Question:
    """Something to search for: in other words than any stored text, or a few of its words in another order."""
    if luck.random() < KEYWORDS:
        words = [*topic.product.name.split(), *topic.theme.label.lower().split(" ")[-1:]]
        words.append(luck.choice(topic.audience.name.split()))
        return Question(" ".join(reversed(words)), topic.number)
    text = luck.choice(topic.theme.questions).format(asked=topic.product.asked_as, people=topic.audience.asked_as)
    return Question(text, topic.number)


def _filled(template: str, luck: Random, topic: Topic, trade: Trade, name: str, mark: str) -> str:
    pick = luck.random
    persons, towns = people(), places()
    return template.format(
        brand=name,
        mark=mark,
        product=topic.product.name,
        audience=topic.audience.name,
        trait=trade.traits[int(pick() * len(trade.traits))],
        part=trade.parts[int(pick() * len(trade.parts))],
        person=persons[int(pick() * len(persons))],
        other=persons[int(pick() * len(persons))],
        place=towns[int(pick() * len(towns))],
        day=DAYS[int(pick() * len(DAYS))],
        month=MONTHS[int(pick() * 12)],
        few=2 + int(pick() * 8),
        number=10 + int(pick() * 490),
        percent=3 + int(pick() * 57),
    )


def _word(number: int, syllables: int) -> str:
    """A number as a name, one-to-one below 100 to the number of syllables."""
    number %= len(SYLLABLES) ** syllables
    spoken = []
    for _ in range(syllables):
        number, syllable = divmod(number, len(SYLLABLES))
        spoken.append(SYLLABLES[syllable])
    return "".join(spoken).capitalize()
