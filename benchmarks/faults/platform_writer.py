"""Somebody who writes items through the platform's API, and notes what was acknowledged: ``writer``'s third kind.

    python -m benchmarks.faults.platform_writer SPEC

An item's title is its number and what was written last; its body follows from that, so that notes tell all of it.
"""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path
from uuid import UUID, uuid4

from benchmarks.faults.notes import Value
from benchmarks.faults.writer import Writer, main
from ventures.client import Client, NotReached, Problem
from ventures.client.records import ChangedItem, Item, ItemInFull, NewItem

EMAIL = "writer@example.org"
PASSWORD_FILE = "password"
SERVER_ERROR = 500
WORDS = (
    "tea", "harvest", "letter", "engine", "winter", "price", "garden", "violin", "tax", "ocean", "bread", "bridge",
    "school", "copper", "holiday", "doctor", "forest", "camera", "market", "storm", "novel", "wheat", "rocket",
    "lawyer", "lamp", "river", "clock", "paper", "stone", "music", "salt", "glass", "horse", "flower", "cheese",
    "train", "island", "window", "snow", "pencil", "king", "summer", "knife", "bank", "shoe", "ship", "dragon",
    "cotton", "mirror", "coal", "hotel", "apple", "iron", "dance",
)  # fmt: skip


def body_of(value: str) -> str:
    """Words that differ from value to value in what they mean."""
    return " ".join(random.Random(value).sample(WORDS, 16)) + "."


def title_of(number: int, value: str) -> str:
    """Of the item of this number."""
    return f"{number} {value}"


def said_by(item: Item | ItemInFull) -> tuple[int, str]:
    """An item's number, and what was written last."""
    number, _, value = item.title.partition(" ")
    return int(number), value


def signed_in(url: str, folder: Path) -> Client:
    """As the person who writes."""
    client = Client(url)
    client.sign_in(EMAIL, (folder / PASSWORD_FILE).read_text(encoding="utf-8"))
    return client


class ItemWriter(Writer):
    """Drafts, edits and deletes items; asks again, under the same key, for whatever was not answered."""

    client: Client | None = None
    items: dict[tuple[str, int], Item | ItemInFull] | None = None

    def write(self, tenant: str, number: int, value: Value) -> None:
        """Notes, writes until it is done, notes."""
        began, key = time.time(), uuid4().hex
        self._note("try", tenant, number, value, began, 0.0)
        while not self._is_done(tenant, number, value, key):
            if self.ended:
                return
            time.sleep(0.05)
        now = time.time()
        self._note("ack", tenant, number, value, now, now - began)
        os.fsync(self.notes)

    def _is_done(self, tenant: str, number: int, value: Value, key: str) -> bool:
        try:
            if self.client is None:
                self.client = signed_in(self.spec.url, Path(self.spec.folder))
            if self.items is None:
                self.items = {
                    (venture, said_by(item)[0]): item
                    for venture in self.spec.tenants
                    for item in self.client.content.list_items(UUID(venture))
                }
            self._send(self.client, self.items, (tenant, number), value, key)
        except NotReached as error:
            print(f"{time.time():.3f} {error}", file=sys.stderr, flush=True)
            return False
        except Problem as problem:
            print(f"{time.time():.3f} {problem}", file=sys.stderr, flush=True)
            if problem.status < SERVER_ERROR:
                raise
            return False
        return True

    def _send(
        self,
        client: Client,
        items: dict[tuple[str, int], Item | ItemInFull],
        place: tuple[str, int],
        value: Value,
        key: str,
    ) -> None:
        venture, old = UUID(place[0]), items.get(place)
        if value is None:
            if old is not None:
                client.content.delete_item(venture, old.id, version=old, key=key)
                del items[place]
            return
        title, body = title_of(place[1], value), body_of(value)
        if old is None:
            items[place] = client.content.draft_item(venture, NewItem(title=title, body=body), key=key)
        else:
            changed = ChangedItem(title=title, body=body)
            items[place] = client.content.edit_item(venture, old.id, changed, version=old, key=key)


if __name__ == "__main__":
    main(sys.argv[1:], ItemWriter)
