"""How fast a move copies points into Qdrant Edge, against the engine's own bulk ingest of the same points.

    python -m benchmarks.movers [--points 20000] [--dimensions 384] [--repeats 3]

Prints JSON: points a second of both, the ratio (wanted: ≥ 0.5), and the most memory while copying. Both sides write
durably, a flush for every 500 points; the copy also reads its source page by page, and is gated.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from uuid import UUID

import numpy as np
import qdrant_edge as engine

from outgrow.movers.qdrant_edge import open_store

BATCH = 500


def ingest(folder: Path, points: list[engine.Point], dimensions: int) -> float:
    """Points a second by the engine alone."""
    vectors = engine.EdgeVectorParams(size=dimensions, distance=engine.Distance.Cosine)
    plain = engine.HnswIndexConfig(m=0, ef_construct=100, full_scan_threshold=10_000, payload_m=0)
    config = engine.EdgeConfig(vectors=vectors, hnsw_config=plain, max_search_threads=1)
    shard = engine.EdgeShard.create(str(folder), config)
    begun = time.perf_counter()
    for start in range(0, len(points), BATCH):
        shard.update(engine.UpdateOperation.upsert_points(points[start : start + BATCH]))
        shard.flush()
    took = time.perf_counter() - begun
    shard.close()
    return len(points) / took


def copy(source_folder: Path, target_folder: Path, dimensions: int, tenant: str) -> float:
    """Points a second by pages, as a move does it."""
    source = open_store({"folder": source_folder}, "source")
    target = open_store({"folder": target_folder, "size": dimensions}, "target")
    begun, after, copied = time.perf_counter(), "", 0
    while page := source.page(tenant, after, BATCH):
        target.put(tenant, 1, page)
        after, copied = page[-1].key, copied + len(page)
    took = time.perf_counter() - begun
    source.close()
    target.close()
    return copied / took


def main(arguments: list[str]) -> None:
    """Both in turn, in fresh folders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=20_000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args(arguments)
    random = np.random.default_rng(1)
    matrix = random.standard_normal((asked.points, asked.dimensions)).astype(np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    ids = [UUID(bytes=random.bytes(16)) for _ in matrix]
    points = [
        engine.Point(found, row, {"text": "A passage of the venture's own words. " * 4, "place": place})
        for place, (found, row) in enumerate(zip(ids, matrix, strict=True))
    ]
    bulk, copied = [], []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for turn in range(asked.repeats):
            (root / f"source-{turn}").mkdir()
            bulk.append(ingest(root / f"source-{turn}" / "t", points, asked.dimensions))
            copied.append(copy(root / f"source-{turn}", root / f"target-{turn}", asked.dimensions, "t"))
    ratios = [one / other for one, other in zip(copied, bulk, strict=True)]
    result = {
        "points": asked.points,
        "dimensions": asked.dimensions,
        "ingest_per_second": round(statistics.median(bulk)),
        "copy_per_second": round(statistics.median(copied)),
        "ratio": round(statistics.median(ratios), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    json.dump(result, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main(sys.argv[1:])
