"""Where tenants of a store of points lie: a collection each, all in one, or in several by a hash."""

from __future__ import annotations

import hashlib
import re
import string
from contextlib import suppress
from dataclasses import dataclass

from outgrow.ports import StoreFailed

_SAFE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where tenants lie.

    Attributes:
        collection: its name; with ``{tenant}`` one each, with ``{bucket}`` or ``{bucket:02}`` one of ``buckets``.
        tenant_field: a field of the payload; needed where tenants share a collection.
        whole_numbers: values of the field are numbers, not texts.
    """

    collection: str
    tenant_field: str | None = None
    buckets: int | None = None
    whole_numbers: bool = False

    def __post_init__(self) -> None:
        fields = [name for _, name, _, _ in string.Formatter().parse(self.collection) if name is not None]
        if fields not in ([], ["tenant"], ["bucket"]):
            raise ValueError("collection: only one {tenant} or {bucket} can stand in the name")
        if (fields == ["bucket"]) != (self.buckets is not None):
            raise ValueError("collection and buckets: {bucket} in the name and the number of buckets belong together")
        if fields != ["tenant"] and not self.tenant_field:
            raise ValueError("tenant_field: needed where tenants share a collection, or write {tenant} in its name")
        if self.tenant_field and not re.fullmatch(r"[A-Za-z0-9_-]+", self.tenant_field):
            raise ValueError("tenant_field: a field at the top of the payload, of letters, digits, - and _")

    @property
    def one_each(self) -> bool:
        """Each tenant has a collection of its own."""
        return "{tenant" in self.collection

    def collection_of(self, tenant: str) -> str:
        """Raises ``StoreFailed``."""
        if not tenant:
            raise StoreFailed("a call was made without a tenant", next_step="Nothing works on all tenants at once.")
        if self.one_each and not _SAFE_NAME.fullmatch(tenant):
            raise StoreFailed(
                f"tenant {tenant!r} cannot be part of a collection's name",
                next_step="Only letters, digits, '_', '-' and, inside, '.' can; keep such tenants in a shared one.",
            )
        bucket = bucket_of(tenant, self.buckets) if self.buckets else 0
        return self.collection.format(tenant=tenant, bucket=bucket)

    def shared(self) -> list[str]:
        """The collections that tenants share."""
        return [self.collection.format(bucket=bucket) for bucket in range(self.buckets or 1)]

    def meets(self, other: Layout) -> bool:
        """Whether a collection can be one of both, of whichever tenants.

        With ``{tenant}`` in both names one says what the other's tenants are called: ``v2_{tenant}`` is, to
        ``{tenant}``, a tenant ``v2_…`` for each of its own. Where any name fits both, so does the one that is made of
        the longer beginning and the longer end.
        """
        if self.one_each and other.one_each:
            (before, after), (theirs_before, theirs_after) = self._around(), other._around()
            name = f"{max(before, theirs_before, key=len)}x{max(after, theirs_after, key=len)}"
            return self.tenant_in(name) is not None and other.tenant_in(name) is not None
        if self.one_each:
            return any(self.tenant_in(name) is not None for name in other.shared())
        return other.meets(self) if other.one_each else not {*self.shared()}.isdisjoint(other.shared())

    def says(self) -> str:
        """The same for the same collections and field, however they are written."""
        if self.one_each:
            return f"collections {self.collection.format(tenant='{tenant}')}"
        names = self.shared()
        which = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]} ({len(names)} buckets)"
        return f"{which} by {self.tenant_field}{' (whole numbers)' if self.whole_numbers else ''}"

    def tenant_in(self, collection: str) -> str | None:
        """The tenant whose collection this is; None where it is no tenant's."""
        before, after = self._around()
        inner = collection[len(before) : len(collection) - len(after)]
        fits = collection.startswith(before) and collection.endswith(after) and _SAFE_NAME.fullmatch(inner)
        return inner if fits and before + inner + after == collection else None

    def _around(self) -> tuple[str, str]:
        before, _, after = self.collection.partition("{tenant}")
        return before, after

    def value_of(self, tenant: str) -> str | int:
        """What stands in the tenant's field. Raises ``StoreFailed``."""
        if not self.whole_numbers:
            return tenant
        with suppress(ValueError):
            if str(int(tenant)) == tenant:
                return int(tenant)
        raise StoreFailed(
            f"tenant {tenant!r} is no whole number, as the field {self.tenant_field} holds",
            next_step="Take whole_numbers out of the store's settings, or name the tenant as the field does.",
        )


def bucket_of(tenant: str, buckets: int) -> int:
    """0 to ``buckets`` − 1: the first 8 bytes of BLAKE2b of the tenant's UTF-8, as a big-endian number, modulo."""
    return int.from_bytes(hashlib.blake2b(tenant.encode(), digest_size=8).digest(), "big") % buckets


@dataclass(frozen=True, slots=True)
class Planned:
    """A store of points as its settings say, before anything is opened.

    Attributes:
        form: what its bodies hold. place: which server, folder or table, without secrets; the same however written.
        layout: None where the place is one table.
    """

    form: str
    place: str
    layout: Layout | None = None

    def meets(self, other: Planned) -> bool:
        """Whether points can be of both: a put would take them from the other."""
        if self.place != other.place or self.layout is None or other.layout is None:
            return self.place == other.place
        return self.layout.meets(other.layout)
