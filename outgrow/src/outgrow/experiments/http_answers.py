"""What an HTTP answer says, so that two services can be compared: the ids in it, or a digest of all that counts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field


def _pointer(text: str) -> str:
    if not text.startswith("/") or text.endswith("/"):
        raise ValueError("should be a JSON pointer such as /items/*/id, where * stands for every member")
    return text


Pointer = Annotated[str, Field(max_length=500), AfterValidator(_pointer)]


def what_counts(body: bytes, status: int, ids: str | None, ignored: Sequence[str]) -> tuple[str, ...]:
    """What is compared of an answer.

    Args:
        ids: where the ids of what was found are; None: a digest of status and body is all there is.
        ignored: what does not count in a body of JSON. Order of keys and spaces never do.
    """
    content = _json(body)
    if ids is not None:
        return tuple(_as_id(value) for value in _at(content, _parts(ids)) if value is not None)
    if content is None:
        return (f"{status} {_digest(body)}",)
    for pointer in ignored:
        _forget(content, _parts(pointer))
    return (f"{status} {_digest(json.dumps(content, sort_keys=True, ensure_ascii=False).encode())}",)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _parts(pointer: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _as_id(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


def _members(value: Any, part: str) -> list[Any]:
    """Keys of ``value`` that a part names."""
    if isinstance(value, dict):
        return list(value) if part == "*" else [part] if part in value else []
    if isinstance(value, list):
        if part == "*":
            return list(range(len(value)))
        return [int(part)] if part.isdecimal() and int(part) < len(value) else []
    return []


def _at(value: Any, parts: Sequence[str]) -> Iterator[Any]:
    if not parts:
        yield value
        return
    for member in _members(value, parts[0]):
        yield from _at(value[member], parts[1:])


def _forget(value: Any, parts: Sequence[str]) -> None:
    for member in reversed(_members(value, parts[0])):
        if len(parts) > 1:
            _forget(value[member], parts[1:])
        else:
            del value[member]
