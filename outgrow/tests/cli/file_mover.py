"""A mover between two SQLite files, for commands that are processes of their own. Not a test."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from typing import Any

from outgrow.ports import Copied, Copying, Item, Put, StoreFailed, TenantSize, digest_of

TABLE = """CREATE TABLE IF NOT EXISTS item (
    tenant TEXT, key BLOB, body BLOB, generation INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (tenant, key))"""


class FileStore:
    form = "rows"

    def __init__(self, path: str, name: str, delay: float = 0.0) -> None:
        self.name, self.delay = name, delay
        self.db = sqlite3.connect(path, isolation_level=None, timeout=10)
        self.db.execute("PRAGMA synchronous = OFF")
        self.db.execute(TABLE)

    def write(self, tenant: str, key: str, body: bytes | None) -> None:
        if body is None:
            self.db.execute("DELETE FROM item WHERE tenant = ? AND key = ?", (tenant, key.encode()))
        else:
            statement = (
                "INSERT INTO item (tenant, key, body) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body"
            )
            self.db.execute(statement, (tenant, key.encode(), body))

    def tenants(self) -> Sequence[TenantSize]:
        return [TenantSize(*row) for row in self.db.execute("SELECT tenant, count(body) FROM item GROUP BY 1")]

    def page(self, tenant: str, after: str, limit: int) -> Sequence[Item]:
        rows = self.db.execute(
            "SELECT key, body FROM item WHERE tenant = ? AND key > ? AND body IS NOT NULL ORDER BY key LIMIT ?",
            (tenant, after.encode(), limit),
        )
        return [Item(key.decode(), body) for key, body in rows]

    def items(self, tenant: str, keys: Sequence[str]) -> Mapping[str, bytes]:
        wanted = set(keys)
        rows = self.db.execute("SELECT key, body FROM item WHERE tenant = ? AND body IS NOT NULL", (tenant,))
        return {key.decode(): body for key, body in rows if key.decode() in wanted}

    def put(self, tenant: str, generation: int, items: Sequence[Item]) -> Put:
        time.sleep(self.delay)
        refused = []
        for item in items:
            key = item.key.encode()
            done = self.db.execute(
                "INSERT INTO item VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body, "
                "generation = excluded.generation WHERE generation <= excluded.generation",
                (tenant, key, item.body, generation),
            )
            if not done.rowcount:
                refused.append(item.key)
        return Put(tuple(refused))

    def digests(self, tenant: str, after: str, limit: int) -> Sequence[Copied]:
        return [Copied(item.key, digest_of(item.body or b"")) for item in self.page(tenant, after, limit)]

    def prove_writable(self, tenant: str) -> None:
        self.db.execute("UPDATE item SET body = body WHERE false")

    def settle(self, tenant: str) -> None:
        self.db.execute("DELETE FROM item WHERE tenant = ? AND body IS NULL", (tenant,))

    def drop(self, tenant: str) -> None:
        self.db.execute("DELETE FROM item WHERE tenant = ?", (tenant,))

    def close(self) -> None:
        self.db.close()


def open_mover(settings: Mapping[str, Any], clock: object) -> Copying:
    try:
        return Copying(
            FileStore(settings["source_path"], settings["source"]),
            FileStore(settings["target_path"], settings["target"], float(settings.get("delay", 0.0))),
        )
    except sqlite3.Error as error:
        raise StoreFailed(str(error)) from None
