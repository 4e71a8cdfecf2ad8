"""A mover for outgrow: notes in JSON files, one file a tenant.

A tenant's file is ``{"items": {key: note}, "generations": {key: number}}``. The application reads and writes ``items``;
``generations`` are the move's, and are gone when it is over. Every writer holds the lock file and replaces the whole
file, so a call that is cut has written everything or nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from pydantic import BaseModel, ConfigDict, Field

from outgrow.ports import Clock, Copied, Copying, Item, Put, StoreFailed, TenantSize, digest_of


class Settings(BaseModel):
    """The keys of ``mover: {kind: json-files, …}``, and the names of both stores."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    target: str
    source_folder: Path = Field(description="Where the tenants' files are.")
    target_folder: Path = Field(description="Where they shall be; made where there is none.")


def open_mover(settings: Mapping[str, Any], clock: Clock) -> Copying:
    """What the entry point names."""
    del clock
    own = Settings.model_validate(dict(settings))
    return Copying(JsonStore(own.source, own.source_folder), JsonStore(own.target, own.target_folder))


@dataclass
class Held:
    """A tenant's file. A key with a generation and no item is a tombstone."""

    items: dict[str, Any] = field(default_factory=dict)
    generations: dict[str, int] = field(default_factory=dict)


def body_of(note: Any) -> bytes:
    """The same bytes for the same note, whichever store it lies in."""
    return json.dumps(note, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


class JsonStore:
    """Keeps ``outgrow.ports.Store``."""

    form = "notes"

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder

    def tenants(self) -> Sequence[TenantSize]:
        names = [unquote(file.name.removesuffix(".json")) for file in sorted(self._folder.glob("*.json"))]
        sizes = [TenantSize(name, len(self._read(name).items)) for name in names]
        return [size for size in sizes if size.items]

    def page(self, tenant: str, after: str, limit: int) -> Sequence[Item]:
        items = self._read(tenant).items
        behind = sorted((key for key in items if key.encode() > after.encode()), key=str.encode)
        return [Item(key, body_of(items[key])) for key in behind[:limit]]

    def items(self, tenant: str, keys: Sequence[str]) -> Mapping[str, bytes]:
        items = self._read(tenant).items
        return {key: body_of(items[key]) for key in keys if key in items}

    def put(self, tenant: str, generation: int, items: Sequence[Item]) -> Put:
        refused = []
        with self._writing(tenant) as held:
            for item in items:
                if held.generations.get(item.key, generation) > generation:
                    refused.append(item.key)
                    continue
                held.generations[item.key] = generation
                if item.body is None:
                    held.items.pop(item.key, None)
                else:
                    held.items[item.key] = json.loads(item.body)
        return Put(tuple(refused))

    def digests(self, tenant: str, after: str, limit: int) -> Sequence[Copied]:
        return [Copied(item.key, digest_of(item.body or b"")) for item in self.page(tenant, after, limit)]

    def prove_writable(self, tenant: str) -> None:
        with self._writing(tenant):
            pass  # the file is replaced by one with the same content

    def settle(self, tenant: str) -> None:
        with self._writing(tenant) as held:
            held.generations.clear()

    def drop(self, tenant: str) -> None:
        with self._writing(tenant) as held:
            held.items.clear()
            held.generations.clear()

    def close(self) -> None:
        """Holds nothing open."""

    def _file(self, tenant: str) -> Path:
        if not tenant:
            raise StoreFailed(f"{self.name}: a call without a tenant", next_step="name the tenant")
        return self._folder / f"{quote(tenant, safe='')}.json"

    def _read(self, tenant: str) -> Held:
        file = self._file(tenant)
        try:
            return Held(**json.loads(file.read_bytes()))
        except FileNotFoundError:
            return Held()
        except (OSError, ValueError, TypeError) as error:
            raise StoreFailed(f"{self.name}: {file} cannot be read: {error}", next_step="see the file") from error

    @contextmanager
    def _writing(self, tenant: str) -> Iterator[Held]:
        """The tenant's file, alone; replaced at the end, or as it was."""
        file = self._file(tenant)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                held = self._read(tenant)
                yield held
                self._replace(file, held)
        except (OSError, ValueError) as error:
            raise StoreFailed(f"{self.name}: {file} cannot be written: {error}", next_step="see the disk") from error

    def _replace(self, file: Path, held: Held) -> None:
        if not held.items and not held.generations:
            file.unlink(missing_ok=True)
        else:
            new = self._folder / f"{file.name}.new"
            with new.open("w", encoding="utf-8") as out:
                json.dump({"items": held.items, "generations": held.generations}, out, ensure_ascii=False)
                out.flush()
                os.fsync(out.fileno())
            new.replace(file)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
