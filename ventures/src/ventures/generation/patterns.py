"""Ways to write that all ventures share: global models, found by what an instruction asks for."""

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Final, Literal
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec

from ventures.search.api import Embedder
from ventures.vectors.api import Kind, Point, Vector

PatternId = Literal[
    "launch-announcement",
    "case-study",
    "weekly-digest",
    "how-to-guide",
    "product-comparison",
    "customer-story",
    "event-invitation",
    "press-release",
    "social-post",
    "newsletter",
    "answers-to-questions",
    "job-advertisement",
]
LEAST_SIMILARITY: Final = 0.2
"""Cosine below which no pattern is taken for the instruction's. Chosen on 19 instructions that we labelled ourselves
(`tests/generation/test_patterns.py`), with the built-in model: 12 lie above it, 11 of them get the pattern of their
label. On others it was not tried.
"""


class Pattern(msgspec.Struct, frozen=True, kw_only=True):
    """about: what it is for, in the words people ask for it; text: how it is written. points: the draft is a list.

    sentences: of an extractive draft.
    """

    id: PatternId
    name: str
    about: str
    text: str
    points: bool = False
    sentences: int = 6


_ALL: Final = (
    Pattern(
        id="launch-announcement",
        name="Launch announcement",
        about="Announce the launch of a new product, feature or release that is available now.",
        text="Open with what is new and for whom it is. Then what it changes for them, with one concrete detail. End "
        "with when and where it can be had.",
    ),
    Pattern(
        id="case-study",
        name="Case study",
        about="Write a case study: the problem a client had, what was done about it, results with figures.",
        text="Three parts: the situation and its difficulty; what was done, step by step; the result in figures. Say "
        "who it was about, and claim nothing that the figures do not show.",
        sentences=9,
    ),
    Pattern(
        id="weekly-digest",
        name="Weekly digest",
        about="Summarise what happened this week: a digest or roundup of news and recent articles.",
        text="A line of greeting, then the news as a list, the most important first, each in one or two sentences. "
        "End with what comes next week.",
        points=True,
        sentences=8,
    ),
    Pattern(
        id="how-to-guide",
        name="How-to guide",
        about="Explain step by step how to do something: a tutorial, a guide, instructions, a recipe.",
        text="Say what the reader will have at the end and what is needed. Then numbered steps, one action each. End "
        "with how to see that it worked.",
        points=True,
        sentences=8,
    ),
    Pattern(
        id="product-comparison",
        name="Product comparison",
        about="Compare products, options or alternatives: differences, advantages, which one to choose.",
        text="Name what is compared and by what. Go through one criterion after the other, fairly. End with who is "
        "better served by which.",
        points=True,
        sentences=8,
    ),
    Pattern(
        id="customer-story",
        name="Customer story",
        about="Tell the story of a customer: a portrait, a testimonial, what they say about us.",
        text="Begin with the person and a scene. Let them say in their own words what they looked for and what "
        "changed. End with where they are now.",
        sentences=8,
    ),
    Pattern(
        id="event-invitation",
        name="Invitation",
        about="Invite people to an event, a webinar, a workshop, a tasting or a meeting; how to register.",
        text="Say what it is, when and where in the first two sentences. Then why to come and who speaks. End with how "
        "to register and until when.",
    ),
    Pattern(
        id="press-release",
        name="Press release",
        about="A press release for journalists and the media, with a quote and a contact.",
        text="Headline; place and date; who, what, when, where and why in the first paragraph. Then background and one "
        "quote. End with a paragraph about the company and a contact.",
        sentences=8,
    ),
    Pattern(
        id="social-post",
        name="Social media post",
        about="A short post for social media such as Mastodon, LinkedIn or Instagram, with hashtags.",
        text="One thought in at most three short sentences, the strongest words first. At most two hashtags.",
        sentences=2,
    ),
    Pattern(
        id="newsletter",
        name="Newsletter",
        about="A newsletter or email to subscribers, with a subject line and a call to action.",
        text="A subject line of at most eight words. A personal opening, one main story, one or two short notes. End "
        "with the one thing the reader should do.",
        sentences=8,
    ),
    Pattern(
        id="answers-to-questions",
        name="Answers to questions",
        about="Frequently asked questions with answers: an FAQ, a help page.",
        text="Questions in the readers' own words, each with an answer of one to three sentences, the most frequent "
        "first.",
        points=True,
        sentences=8,
    ),
    Pattern(
        id="job-advertisement",
        name="Job advertisement",
        about="Advertise a job: hiring, a vacancy, looking for a new colleague, tasks and requirements.",
        text="Say what the work is and with whom. Then tasks and what is needed, as short lists without superlatives. "
        "End with pay, place and how to apply.",
        points=True,
    ),
)
PATTERNS: Final[Mapping[PatternId, Pattern]] = MappingProxyType({one.id: one for one in _ALL})


@cache
def point_id(pattern: PatternId) -> UUID:
    """The same everywhere and always."""
    return uuid5(NAMESPACE_URL, f"urn:ventures:pattern:{pattern}")


async def shared_points(embedder: Embedder) -> list[Point]:
    """The patterns as points that belong to nobody: for `vectors.api.SHARED`. Raises: Unavailable, Invalid."""
    vectors = await embedder.embed([one.about for one in PATTERNS.values()])
    return [
        Point(id=point_id(one.id), kind=Kind.PATTERN, source=point_id(one.id), vector=vector)
        for one, vector in zip(PATTERNS.values(), vectors, strict=True)
    ]


def nearest(points: Sequence[Point], instruction: Vector) -> PatternId | None:
    """The pattern that an instruction asks for; None where none is near. Exact: there are a dozen."""
    by_id = {point_id(one): one for one in PATTERNS}
    score, found = max((float(point.vector @ instruction), by_id[point.id]) for point in points)
    return found if score >= LEAST_SIMILARITY else None
