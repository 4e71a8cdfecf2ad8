"""The mover `ventures-index`: both layouts fill themselves from `embedding`, so that there is nothing to copy."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, get_args
from uuid import UUID

from outgrow.migration.records import Differing
from outgrow.ports import Standing, StoreFailed, TenantSize
from ventures.errors import VenturesError
from ventures.outgrow_plugin.reaching import Platform, settings_of
from ventures.search.api import differing, reach, refill, sizes
from ventures.settings import Layout, Settings

LAYOUTS = get_args(Layout)
PATIENCE_SECONDS: Final = 15.0
"""An index process that was killed is there again within a few seconds, and answers nothing while it opens a store."""
AGAIN_SECONDS: Final = 0.2


class IndexFilling:
    """`outgrow.ports.Filling`: tenants are ventures, stores are layouts. Any thread may use it.

    An index process sees within a second that a venture is to be held by a store, or no more; it fills some hundred
    ventures a second.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._faulty_since: dict[str, float] = {}

    @classmethod
    def opened(cls, settings: Mapping[str, Any]) -> "IndexFilling":
        """Raises: ValueError where a layout is none."""
        return cls(Platform(settings_read(settings)))

    def tenants(self) -> Sequence[TenantSize]:
        """All ventures, with how many vectors each has."""
        with _failing():
            database, model = self._platform.database, self._platform.model
            counted = self._platform.do(sizes(database, model))
        return [TenantSize(str(venture), count) for venture, count in counted]

    def standing(self, tenant: str, store: str) -> Standing:
        """How far the store is; what is put there outlives a loss of power some seconds later, and is put again where
        it does not. A fault is told once it has lasted a while.
        """
        platform, venture = self._platform, _venture(tenant)
        while True:
            with _failing():
                reached = platform.do(reach(platform.database, platform.model, platform.index, store, venture))
            if not reached.fault:
                self._faulty_since.pop(store, None)
                break
            now = time.monotonic()
            if now - self._faulty_since.setdefault(store, now) >= PATIENCE_SECONDS:
                break
            time.sleep(AGAIN_SECONDS)
        return Standing(reached.position, reached.head, reached.lag_seconds, fault=reached.fault)

    def differing(self, tenant: str, store: str) -> Iterator[Differing]:
        """Every vector that is missing, too many, or not the one of the table."""
        platform, venture = self._platform, _venture(tenant)
        with _failing():
            found = differing(platform.database, platform.model, platform.index, store, venture)
            for key, how in platform.each(found):
                yield Differing(tenant, str(key), how)

    def repair(self, tenant: str, store: str, keys: Sequence[str]) -> None:
        """Fills the whole venture anew; searches of it are answered by PostgreSQL meanwhile, where it is searched
        here."""
        platform, venture = self._platform, _venture(tenant)
        with _failing():
            platform.do(refill(platform.database, platform.model, platform.index, store, venture))

    def close(self) -> None:
        """Lets go of the connections."""
        self._platform.close()


def settings_read(settings: Mapping[str, Any]) -> Settings:
    """The platform's settings under the mover's own. Raises: ValueError where these, or a layout, are wrong."""
    for side in ("source", "target"):
        if settings.get(side) not in LAYOUTS:
            raise ValueError(f"{side} {settings.get(side)!r} is no layout; there are {', '.join(LAYOUTS)}")
    return settings_of(settings, {"source", "target"})


def _venture(tenant: str) -> UUID:
    try:
        return UUID(tenant)
    except ValueError:
        raise StoreFailed(f"{tenant!r} is no venture", next_step="Ventures are named by their ids.") from None


@contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except VenturesError as error:
        raise StoreFailed(str(error), next_step="`ventures doctor` says how the index and PostgreSQL are.") from error
