"""Stores of points by kind, and the mover between two of them, ``kind: points``.

A kind's module is loaded when a store of it is opened: each needs a library of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, cast

from outgrow.errors import OutgrowError, UsageError
from outgrow.movers.point_store import PointStore
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


def open_mover(settings: Mapping[str, Any], clock: Clock) -> Copying:
    """The factory of ``kind: points``. ``settings``: ``source_store`` and ``target_store``, with a ``kind`` each, and
    the stores' names ``source`` and ``target``.

    Raises:
        UsageError: the settings are wrong, or the stores are of two forms, or one and the same.
    """
    del clock
    known = ("source", "target", "source_store", "target_store")
    if unknown := [key for key in settings if key not in known]:
        raise UsageError(f"mover points: unknown key {unknown[0]!r}", next_step=f"It takes {', '.join(known)}.")
    for key in ("source_store", "target_store"):
        if not isinstance(settings.get(key), Mapping):
            raise UsageError(f"mover points: {key} is missing", next_step="Write both with a kind and its settings.")
    source = open_store(settings["source_store"], str(settings.get("source", "source")))
    try:
        target = open_store(settings["target_store"], str(settings.get("target", "target")))
    except OutgrowError:
        source.close()
        raise
    if source.form != target.form:
        forms = f"{source.name} holds {source.form}, {target.name} {target.form}"
        source.close()
        target.close()
        raise UsageError(
            f"nothing can be copied between these stores: {forms}",
            next_step="Write the same `distance` for both, if they compare in the same way.",
        )
    if settings["source_store"].get("kind") == settings["target_store"].get("kind") and _are_one(source, target):
        source.close()
        target.close()
        raise UsageError(
            f"{source.name} and {target.name} can be the same points, and one would take them from the other",
            next_step="Write two stores: give the target a collection, a table or a folder of its own.",
        )
    return Copying(source, target)


def _are_one(source: Store, target: Store) -> bool:
    """Two stores of one kind. One that does not answer now will when it is needed."""
    if isinstance(source, PointStore) and isinstance(target, PointStore):
        return source.meets(target)
    if not (isinstance(source, Identified) and isinstance(target, Identified)):
        return False
    try:
        return source.identity() == target.identity()
    except StoreFailed:
        return False
