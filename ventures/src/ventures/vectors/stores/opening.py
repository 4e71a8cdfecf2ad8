"""Opens a store by the name of its layout."""

from pathlib import Path
from typing import Final

from ventures.errors import SettingsError
from ventures.vectors.ports import VectorStore
from ventures.vectors.stores.keys import BUCKETS

WHOLE: Final = (0, 1)
"""The share of a process that is the only one."""


async def opened(
    layout: str,
    where: Path | str,
    *,
    dimension: int,
    model: str,
    share: tuple[int, int] = WHOLE,
    buckets: int = BUCKETS,
    most_open: int | None = None,
    api_key: str | None = None,
) -> VectorStore:
    """The store of a layout: "shared", "tuned", "buckets", "per-venture" in a folder of their own under the folder
    `where`; "qdrant" at the URL `where`, in a folder without a server, or ":memory:".

    model: names what makes the vectors; a store of another is made anew. share: which process this is, from 0, and of
    how many; see `process_of`. most_open: shards that per-venture holds open at once. What is of no use any more (lost,
    corrupt, of another version or shape) is put aside and made anew: its part gets another name.

    Raises: SettingsError for a layout that is none or lacks its library; Unavailable where another process has the
    folder, the disk does not let it, or the server does not answer.
    """
    # The engines are large, and most processes need none of them: each is imported where it is opened.
    if layout in ("shared", "tuned", "buckets"):
        from ventures.vectors.stores import sharded

        return sharded.Sharded(
            layout,
            Path(where),
            recipe=sharded.SHARED if layout == "shared" else sharded.TUNED,
            buckets=buckets if layout == "buckets" else 1,
            dimension=dimension,
            model=model,
            share=share,
        )
    if layout == "per-venture":
        from ventures.vectors.stores import per_venture

        return per_venture.PerVenture(
            Path(where), dimension=dimension, model=model, share=share, most_open=most_open or per_venture.MOST_OPEN
        )
    if layout == "qdrant":
        from ventures.vectors.stores import qdrant

        return await qdrant.opened(where, dimension=dimension, model=model, api_key=api_key)
    raise SettingsError(
        f"{layout!r} is no layout that can be opened; there are shared, tuned, buckets, per-venture, qdrant."
    )
