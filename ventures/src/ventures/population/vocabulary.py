"""The words of a population, read from the files in `words/`: what its ventures sell, to whom, where, and the themes
they write about.

A line's first sign says what it is. Of a trade: `=` a product and what somebody calls it who does not know its name,
`-` what is said of its products, `+` what they are made of. Of a theme: `-` a sentence as it is stored, `?` one as
people ask. An empty line ends a trade or theme. Other names stand in questions only, so that whoever searches does not
repeat what is stored.
"""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Final

import msgspec

MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


class Named(msgspec.Struct, frozen=True):
    """A product or an audience. asked_as: the same in other words."""

    name: str
    asked_as: str


class Trade(msgspec.Struct, frozen=True):
    """A line of business: products, what is said of all of them, what they are made of."""

    name: str
    products: tuple[Named, ...]
    traits: tuple[str, ...]
    parts: tuple[str, ...]


class Theme(msgspec.Struct, frozen=True):
    """label: in titles. sentences: templates of stored text. questions: templates of what people ask."""

    label: str
    sentences: tuple[str, ...]
    questions: tuple[str, ...]


@cache
def trades() -> tuple[Trade, ...]:
    """All lines of business."""
    return tuple(
        Trade(name, tuple(map(_named, _of("=", lines))), tuple(_of("-", lines)), tuple(_of("+", lines)))
        for name, lines in _blocks("trades")
    )


@cache
def themes() -> tuple[Theme, ...]:
    """All that ventures write about."""
    return tuple(Theme(label, tuple(_of("-", lines)), tuple(_of("?", lines))) for label, lines in _blocks("themes"))


@cache
def audiences() -> tuple[Named, ...]:
    """Everybody who may be meant."""
    return tuple(map(_named, _lines("audiences")))


@cache
def places() -> tuple[str, ...]:
    """Towns."""
    return tuple(_lines("places"))


@cache
def people() -> tuple[str, ...]:
    """First names."""
    return tuple(_lines("people"))


def _text(name: str) -> str:
    return (files("ventures.population") / "words" / f"{name}.txt").read_text("utf-8").strip()


def _lines(name: str) -> list[str]:
    return _text(name).split("\n")


def _blocks(name: str) -> Iterator[tuple[str, list[str]]]:
    for block in _text(name).split("\n\n"):
        first, *others = block.split("\n")
        yield first, others


def _of(sign: str, lines: list[str]) -> list[str]:
    return [line[2:] for line in lines if line[0] == sign]


def _named(line: str) -> Named:
    name, asked_as = line.removeprefix("= ").split(" = ")
    return Named(name, asked_as)
