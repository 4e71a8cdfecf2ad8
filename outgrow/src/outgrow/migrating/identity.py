"""Which two stores a move is between, in words that are kept with it: an edited file does not turn it round."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from outgrow.points.declaration import DeclaredMove
from outgrow.ports import Copying, Identified, Mover, digest_of

_SECRET = re.compile(r"passw|secret|token|api_?key|credential|auth", re.IGNORECASE)
_NOT_SAID = "not said"
_OWN = ("source", "target")


def identity_of(declared: DeclaredMove, mover: Mover) -> dict[str, str]:
    """What tells these two stores from others: what they say of themselves, else how they are declared.

    Of what is declared, secrets are left out, and hosts have keys of their own. Raises ``StoreFailed``.
    """
    found = {"mover": declared.mover.kind}
    told = list[str]()
    if isinstance(mover, Copying):
        for side, store in (("source", mover.source), ("target", mover.target)):
            if isinstance(store, Identified):
                found[side] = store.identity()
                told.append(f"{side}_store")
    for key, value in declared.mover.settings.items():
        if key not in told:
            found |= dict(_flat(key, value))
    return found


def changed(was: Mapping[str, str], now: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Each key that differs, what it was and what it is."""
    keys = [key for key in {**was, **now} if was.get(key) != now.get(key)]
    return [(key, was.get(key, _NOT_SAID), now.get(key, _NOT_SAID)) for key in keys]


def is_turned(was: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether the source of one is the target of the other: never a mere change of where the same stores are."""
    if any(key in was and was[key] == now.get(other) for key, other in (_OWN, _OWN[::-1])):
        return True
    for key in was:
        other = _other_side(key)
        if other not in was or was[key] == was[other]:
            continue
        if (was[key], was[other]) == (now.get(other), now.get(key)):
            return True
    return False


def are_both(was: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether these are the same two stores, either way round: what is done to both alike is done to the right ones."""
    turned = {_other_side(key): value for key, value in now.items()}
    return not changed(was, now) or not changed(was, turned)


def _other_side(key: str) -> str:
    for side, other in (_OWN, _OWN[::-1]):
        if key.startswith(side):
            return other + key.removeprefix(side)
    return key


def _flat(key: str, value: Any) -> Iterator[tuple[str, str]]:
    if _SECRET.search(key.rpartition(".")[2]):
        return
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(f"{key}.{name}", inner)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for place, inner in enumerate(value, start=1):
            yield from _flat(f"{key}.{place}", inner)
    elif isinstance(value, str) and "://" in value:
        yield from _of_url(key, value)
    else:
        yield key, str(value)


def _of_url(key: str, url: str) -> Iterator[tuple[str, str]]:
    try:
        parts = urlsplit(url)
        host = f"{parts.hostname or ''}:{parts.port}" if parts.port else parts.hostname or ""
    except ValueError:
        yield key, digest_of(url.encode()).hex()
        return
    yield f"{key} (host)", host
    query = urlencode([pair for pair in parse_qsl(parts.query) if not _SECRET.search(pair[0])])
    yield key, f"{parts.scheme}:{parts.path.rstrip('/')}" + (f"?{query}" if query else "")
