"""Pages that go whole from a store to another (``outgrow.ports.InBlocks``), and how many items each has."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from outgrow.ports import Block, Copying, InBlocks

BATCHES = 8
"""How many batches a block has at most: an item of a block costs the stores a half to a third of one that is put by
itself, and what a page costs besides (a commit, some ways there and back) is that of some hundred items."""
MOST_BYTES = 4_000_000
"""Of a block of more than one batch, as far as the one before tells."""


@dataclass(slots=True)
class Blocks:
    """Both stores of a move, where they know blocks. ``item_bytes``: of the last block, on an average; a block that did
    not come through is followed by one of a single batch."""

    source: InBlocks
    target: InBlocks
    item_bytes: float = MOST_BYTES

    def forms(self) -> Collection[str]:
        """Those in which the target takes blocks; where there are none, nothing is to be read."""
        return self.target.block_forms()

    def read(self, tenant: str, after: str, batch: int, forms: Collection[str]) -> Block | None:
        """The source's next block, of one batch or of several small ones; None where it has none such."""
        fitting = int(MOST_BYTES / max(self.item_bytes, 1.0))
        self.item_bytes = MOST_BYTES
        return self.source.block(tenant, after, max(batch, min(BATCHES * batch, fitting)), forms)

    def put(self, generation: int, block: Block) -> bool:
        """Whether the target took it."""
        done = self.target.put_block(generation, block)
        if done:
            self.item_bytes = len(block.data) / max(block.count, 1)
        return done


def blocks_of(mover: Copying) -> Blocks | None:
    """None where one of the stores knows no blocks."""
    source, target = mover.source, mover.target
    return Blocks(source, target) if isinstance(source, InBlocks) and isinstance(target, InBlocks) else None
