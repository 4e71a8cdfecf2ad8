"""Stores of points by kind, and the mover between two of them, ``kind: points``.

A kind's module is loaded when a store of it is opened: each needs a library of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, PlainValidator

from outgrow.errors import OutgrowError, UsageError
from outgrow.movers.point_layout import Planned
from outgrow.ports import Clock, Copying, Identified, Store, StoreFailed

STORES: dict[str, str] = {
    "qdrant": "outgrow.movers.qdrant:open_store",
    "qdrant-edge": "outgrow.movers.qdrant_edge:open_store",
    "pgvector": "outgrow.movers.pgvector:open_store",
}
"""Kind → ``module:function``; the function takes the settings beside ``kind`` and the store's name."""


def open_store(settings: Mapping[str, Any], name: str) -> Store:
    """A store of points. ``settings``: ``kind`` and that kind's own.

    Raises:
        UsageError: the settings are wrong.
        StoreFailed: its library is missing.
    """
    kind = settings.get("kind")
    if kind not in STORES:
        raise UsageError(
            f"store {name}: {kind!r} is no kind of store of points", next_step=f"Write one of {', '.join(STORES)}."
        )
    module, function = STORES[str(kind)].split(":")
    opened = cast("Callable[[Mapping[str, Any], str], Store]", getattr(import_module(module), function))
    return opened({key: value for key, value in settings.items() if key != "kind"}, name)


class _Settings(BaseModel):
    """The keys of ``mover: {kind: points, …}``; a store is read as its kind reads it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    source: str = "source"
    target: str = "target"
    source_store: Annotated[Planned, PlainValidator(lambda settings: _planned(settings))]
    target_store: Annotated[Planned, PlainValidator(lambda settings: _planned(settings))]


def check_settings(settings: Mapping[str, Any]) -> None:
    """Finds what is wrong without opening a store. ``settings``: as of ``open_mover``.

    Raises:
        ValidationError: pydantic's, with the keys, of both stores at once.
        UsageError: the stores are of two forms, or one and the same.
    """
    read = _Settings.model_validate(dict(settings))
    source, target = read.source_store, read.target_store
    if source.form != target.form:
        raise UsageError(
            f"nothing can be copied between these stores: {read.source} holds {source.form}, {read.target} "
            f"{target.form}",
            next_step="Write the same `distance` for both, if they compare in the same way.",
        )
    kinds = {settings["source_store"]["kind"], settings["target_store"]["kind"]}
    if len(kinds) == 1 and source.meets(target):
        raise _one_and_the_same(read.source, read.target)


def open_mover(settings: Mapping[str, Any], clock: Clock) -> Copying:
    """The factory of ``kind: points``. ``settings``: ``source_store`` and ``target_store``, with a ``kind`` each, and
    the stores' names ``source`` and ``target``.

    Raises:
        ValidationError: pydantic's, where the settings are wrong.
        UsageError: the stores are of two forms, or one and the same.
        StoreFailed: a library is missing.
    """
    del clock
    check_settings(settings)
    source = open_store(settings["source_store"], str(settings.get("source", "source")))
    try:
        target = open_store(settings["target_store"], str(settings.get("target", "target")))
    except OutgrowError:
        source.close()
        raise
    if settings["source_store"]["kind"] == settings["target_store"]["kind"] and _are_one(source, target):
        source.close()
        target.close()
        raise _one_and_the_same(source.name, target.name)
    return Copying(source, target)


def _planned(settings: object) -> Planned:
    if not isinstance(settings, Mapping):
        raise ValueError("should be a store: a kind, and that kind's settings")
    kind = settings.get("kind")
    if kind not in STORES:
        raise ValueError(f"{kind!r} is no kind of store of points; there are {', '.join(STORES)}")
    try:
        module = import_module(STORES[str(kind)].partition(":")[0])
    except StoreFailed as missing:
        raise ValueError(f"{missing.message} {missing.next_step or ''}".rstrip()) from None
    read = cast("Callable[[Mapping[str, Any]], Planned]", module.planned)
    return read({key: value for key, value in settings.items() if key != "kind"})


def _one_and_the_same(source: str, target: str) -> UsageError:
    return UsageError(
        f"{source} and {target} can be the same points, and one would take them from the other",
        next_step="Write two stores: give the target a collection, a table or a folder of its own.",
    )


def _are_one(source: Store, target: Store) -> bool:
    """Whether both say that they are the same points. One that does not answer now will when it is needed."""
    if not (isinstance(source, Identified) and isinstance(target, Identified)):
        return False
    try:
        return source.identity() == target.identity()
    except StoreFailed:
        return False
