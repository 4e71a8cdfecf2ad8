"""JSON text whose findings can be told with their line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

PathParts = tuple[str | int, ...]


def load(content: str) -> tuple[Any, PathParts | None]:
    """What the text says, and where a key stands twice in an object, if it does.

    Raises what ``json.loads`` raises: ``JSONDecodeError``, ``RecursionError``, ``ValueError`` for endless integers.
    """
    data = json.loads(content, object_pairs_hook=_object)
    return data, next(_twice(data, ()), None)


def line_of(content: str, path: PathParts) -> int:
    """The line on which the value at ``path`` begins in JSON text; of its nearest ancestor where it is not there."""
    place = _past_space(content, 0)
    for part in path:
        found = next((start for key, start in _members(content, place) if key == part), None)
        if found is None:
            break
        place = found
    return content.count("\n", 0, place) + 1


def _members(content: str, start: int) -> Iterator[tuple[str | int, int]]:
    """(key or index, where its value begins) of the object or array that begins at ``start``; text is valid JSON."""
    opening, decoder = content[start], json.JSONDecoder()
    if opening not in "{[":
        return
    place, index = _past_space(content, start + 1), 0
    while content[place] not in "}]":
        key: str | int = index
        if opening == "{":
            key, place = decoder.raw_decode(content, place)
            place = _past_space(content, _past_space(content, place) + 1)
        yield key, place
        _, place = decoder.raw_decode(content, place)
        place = _past_space(content, place)
        if content[place] == ",":
            place = _past_space(content, place + 1)
        index += 1


def _past_space(content: str, place: int) -> int:
    while place < len(content) and content[place] in " \t\r\n":
        place += 1
    return place


class _Twice(dict[str, Any]):
    """An object in which a key stands twice; ``key`` is the first such."""

    key = ""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    if len(plain) == len(pairs):
        return plain
    keys = [key for key, _ in pairs]
    marked = _Twice(plain)
    marked.key = next(key for place, key in enumerate(keys) if key in keys[:place])
    return marked


def _twice(data: Any, path: PathParts) -> Iterator[PathParts]:
    if isinstance(data, _Twice):
        yield (*path, data.key)
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in inner:
        if isinstance(value, dict | list):
            yield from _twice(value, (*path, key))
