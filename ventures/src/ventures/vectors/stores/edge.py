"""One shard of Qdrant Edge: a folder that is opened, or made anew where it is of no use any more.

    NAME/manifest.json   which version and shape it is, and its birth
    NAME/contents.json   which files it had when last flushed
    NAME/opening         there while it is being opened: an x for each process that died of it
    NAME/shard/          the engine's
    NAME.lock            held by the process that has it open
    NAME.aside/          what was of no use the last time

The engine holds the interpreter's lock in every call, so nothing here is awaited. Its errors are plain exceptions, and
its panics not even those: both become Unavailable, and after a panic the shard is opened anew before it is used again.
"""

import functools
import json
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Final

import filelock
import msgspec
import qdrant_edge as engine

from ventures.errors import Unavailable
from ventures.vectors.stores import contents
from ventures.vectors.stores.manifest import Manifest, Shape, new_birth, read, write

ENGINE: Final = version("qdrant-edge-py")
ATTEMPTS: Final = 2
"""Processes that may die while they open a shard before it is held to be the reason: one may have been killed."""
INDEXING_KB: Final = 2_000
"""Compaction leaves less than this uncompressed: about 2,000 points, which are scanned in well under a millisecond."""
SEGMENT_KB: Final = 10_000
"""What compaction does not add to any more: some 10,000 points. What comes later is compacted by itself, in a third of
a second of CPU, where a whole bucket of 70,000 took 1.4. A search looks at each segment, which takes some 5 µs.
"""
MUCH_POINTS: Final = 5_000
"""Compaction is worth it from this many changes on."""
log = logging.getLogger(__name__)


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How a shard is laid out. tenant: payload field by which points lie together on disk. indexed: further fields with
    an index. indexed_from: points from which on indexes are made. wal_bytes: of a segment of the write-ahead log; None
    for the engine's own 32 MiB. threads: of a search; None for as many as there are processors.
    """

    hnsw: bool = False
    int8: bool = True
    cold: bool = False
    tenant: str | None = None
    indexed: tuple[str, ...] = ()
    indexed_from: int = 0
    wal_bytes: int | None = None
    threads: int | None = 1

    def parameters(self) -> dict[str, str]:
        """As a manifest keeps them."""
        return {field: str(getattr(self, field)) for field in self.__struct_fields__}


class Shard:
    """A shard, open or not. name: "buckets/07", for people and in parts. changed: points put or deleted since it was
    compacted. dirty: since it was flushed.
    """

    def __init__(self, folder: Path, name: str, *, recipe: Recipe, shape: Shape) -> None:
        self.folder, self.name, self.recipe, self.shape = folder, name, recipe, shape
        self.changed = 0
        self.dirty = False
        self._open: engine.EdgeShard | None = None
        self._lock = filelock.FileLock(folder.with_suffix(".lock"), timeout=0, thread_local=False)
        self._manifest: Manifest | None = None
        self._indexed = False
        self._settled = False

    @property
    def manifest(self) -> Manifest:
        """What it is. A place for it is made where there is none. Raises: Unavailable."""
        if self._manifest is None:
            with self._files():
                found = read(self.folder / "manifest.json")
                if found is None or found.shape != self.shape:
                    with self._alone():
                        if self.folder.exists():
                            self._aside(_difference(found, self.shape))
                        found = self._place()
                self._manifest = found
        return self._manifest

    @property
    def part(self) -> str:
        """Its name with its birth. Raises: Unavailable."""
        return f"{self.name}@{self.manifest.birth}"

    @property
    def is_open(self) -> bool:
        """Whether this process has it."""
        return self._open is not None

    def open(self) -> bool:
        """Opens it, or makes it; False where it was of no use, so that it is empty and has another birth. Raises:
        Unavailable where another process has it, or the disk does not let it.
        """
        if self._open is not None:
            return True
        with self._files():
            self.folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                self._lock.acquire()
            except filelock.Timeout:
                raise Unavailable(
                    f"Another process has {self.name} of the vector index open ({self.folder}). Stop it, or give this "
                    "one a folder of its own."
                ) from None
        try:
            broken = self._load() if self.manifest.begun else None
            if self._open is None:
                if broken is not None:
                    with self._files():
                        self._aside(broken)
                        self._manifest = self._place()
                self._make()
        except BaseException:
            self._lock.release()
            raise
        return broken is None

    @contextmanager
    def used(self, doing: str) -> Iterator[engine.EdgeShard]:
        """The engine's shard, opened where it is not. doing: "take points", for the message. Raises: Unavailable, also
        where it was just found to be of no use: what this call was about is not in it any more.
        """
        if self._open is None and not self.open():
            raise Unavailable(f"{self.name} of the vector index was of no use and is being filled anew.")
        opened = self._open
        assert opened is not None
        try:
            yield opened
        except BaseException as error:
            if not _of_the_engine(error):
                raise
            log.exception("The vector index: %s could not %s", self.name, doing)
            if not isinstance(error, Exception):
                self._let_go()
            raise Unavailable(f"{self.name} of the vector index could not {doing}: {_said(error)}") from error

    def touched(self, points: int) -> None:
        """Some were put or deleted."""
        self.changed += points
        self.dirty = True
        if not self._indexed and self._open is not None:
            self._index_from(self._open)

    def flush(self) -> None:
        """Returns when all of it outlives a loss of power. Raises: Unavailable, also where its files are gone."""
        if self._open is None:
            return
        found = read(self.folder / "manifest.json")
        if found is None or found.birth != self.manifest.birth:
            self._let_go()
            self._manifest = None
            raise Unavailable(f"The files of {self.name} of the vector index are gone; it is being filled anew.")
        if self.dirty:
            with self.used("flush") as opened, self._files():
                self._settle()
                opened.flush()
                contents.record(self.folder / "shard" / "segments", self.folder / "contents.json")
            self.dirty = False

    def worth_compacting(self) -> bool:
        """Whether much was changed since it last was."""
        return self._open is not None and self.changed >= MUCH_POINTS

    def compact(self) -> None:
        """Merges what was put one by one, and compresses it. Raises: Unavailable."""
        with self.used("be compacted") as opened, self._files():
            self._settle()
            opened.flush()
            (self.folder / "contents.json").unlink(
                missing_ok=True
            )  # until the new files are safe there is nothing to say
            opened.optimize()
            opened.flush()
            contents.record(self.folder / "shard" / "segments", self.folder / "contents.json")
        self.changed = 0
        self.dirty = False

    def points(self) -> int | None:
        """How many it holds, of all ventures; None while it is not open."""
        return None if self._open is None else self._open.info().points_count

    def close(self) -> None:
        """Flushes and lets go of it."""
        try:
            self.flush()
        finally:
            self._let_go()

    def remove(self) -> None:
        """All of it; what comes then has another birth."""
        with self._files():
            self._let_go()
            with self._alone():
                shutil.rmtree(self.folder, ignore_errors=True)
                shutil.rmtree(self.folder.with_suffix(".aside"), ignore_errors=True)
        self._manifest = None

    def _settle(self) -> None:
        """From now on what is flushed must not be held to be a place with nothing in it, even after a loss of power."""
        if not self._settled:
            write(self.folder / "manifest.json", self.manifest, durable=True)
            self._settled = True

    def _let_go(self) -> None:
        opened, self._open, self.dirty = self._open, None, False
        try:
            if opened is not None:
                opened.close()
        except BaseException as error:
            if not _of_the_engine(error):
                raise
            log.warning("The vector index: %s did not close: %s", self.name, _said(error))
        finally:
            self._lock.release(force=True)

    def _load(self) -> str | None:
        """Opens what is there, or says why that cannot be."""
        shard, mark = self.folder / "shard", self.folder / "opening"
        if not shard.is_dir():
            return "its files are gone"
        why = contents.fault(shard / "segments", self.folder / "contents.json")
        if why is not None:
            return why
        with self._files():
            died = len(mark.read_bytes()) if mark.exists() else 0
            if died >= ATTEMPTS:
                return "processes that open it die"
            mark.write_bytes(b"x" * (died + 1))
        try:
            opened = engine.EdgeShard.load(str(shard))
            _try_out(opened, self.shape.dimension)
            info = opened.info()
        except BaseException as error:
            if not _of_the_engine(error):
                raise
            return f"the engine says: {_said(error)}"
        finally:
            with self._files():
                mark.unlink(missing_ok=True)
        self._open = opened
        self._indexed = set(_indexes(self.recipe)) <= set(info.payload_schema)
        self.changed = max(0, info.points_count - info.indexed_vectors_count)
        return None

    def _make(self) -> None:
        shard = self.folder / "shard"
        with self._files():
            shutil.rmtree(shard, ignore_errors=True)
            (self.folder / "contents.json").unlink(missing_ok=True)
            (self.folder / "opening").unlink(missing_ok=True)
            shard.mkdir(parents=True)
            self._manifest = msgspec.structs.replace(self.manifest, begun=True)
            write(self.folder / "manifest.json", self._manifest, durable=False)
            try:
                (shard / "edge_config.json").write_bytes(_options(self.shape.dimension, self.recipe))
                made = engine.EdgeShard.load(str(shard))
                self._indexed = False
                self._index_from(made)
            except BaseException as error:
                if not _of_the_engine(error):
                    raise
                raise Unavailable(f"{self.name} of the vector index cannot be made: {_said(error)}") from error
        self._open, self._settled, self.changed = made, False, 0

    def _index_from(self, opened: engine.EdgeShard) -> None:
        """Makes the indexes as soon as there are points enough to need them."""
        if opened.info().points_count >= self.recipe.indexed_from:
            for field, parameters in _indexes(self.recipe).items():
                opened.update(engine.UpdateOperation.create_field_index(field, parameters))
            self._indexed = True

    def _place(self) -> Manifest:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = Manifest(shape=self.shape, birth=new_birth(), begun=False)
        write(self.folder / "manifest.json", made, durable=False)
        return made

    def _aside(self, why: str) -> None:
        aside = self.folder.with_suffix(".aside")
        log.warning("The vector index: %s is made anew, since %s; what there was is in %s", self.name, why, aside)
        shutil.rmtree(aside, ignore_errors=True)
        self.folder.rename(aside)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """With its lock, unless this process has it anyway."""
        if self._lock.is_locked:
            yield
            return
        self.folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            with self._lock:
                yield
        except filelock.Timeout:
            raise Unavailable(f"Another process has {self.name} of the vector index open ({self.folder}).") from None

    @contextmanager
    def _files(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise Unavailable(
                f"The folder of {self.name} of the vector index, {self.folder}, cannot be used: {why}."
            ) from error


def _config(dimension: int, recipe: Recipe) -> engine.EdgeConfig:
    graph = engine.HnswIndexConfig(
        m=16 if recipe.hnsw else 0,
        ef_construct=100,
        full_scan_threshold=10_000,  # kB; the engine's own default
        payload_m=None if recipe.hnsw else 0,
    )
    compressed = None
    if recipe.int8:
        placed = engine.Memory.Cold if recipe.cold else engine.Memory.Pinned
        compressed = engine.ScalarQuantizationConfig(type=engine.ScalarType.Int8, memory=placed)
    return engine.EdgeConfig(
        # the vectors as they came, to the last bit: of length 1, so that their dot product is the cosine
        vectors=engine.EdgeVectorParams(size=dimension, distance=engine.Distance.Dot, memory=engine.Memory.Cold),
        hnsw_config=graph,
        quantization_config=compressed,
        optimizers=engine.EdgeOptimizersConfig(
            default_segment_number=1, max_segment_size=SEGMENT_KB, indexing_threshold=INDEXING_KB
        ),
        max_search_threads=recipe.threads,
        payload_memory=engine.Memory.Cold,
        id_tracker_memory=engine.Memory.Cold if recipe.cold else None,
        wal_enabled=True,
    )


def _indexes(recipe: Recipe) -> dict[str, "engine.PayloadSchemaParams"]:
    placed = engine.Memory.Cold if recipe.cold else None
    kinds: dict[str, engine.PayloadSchemaParams] = {}
    if recipe.tenant is not None:
        kinds[recipe.tenant] = engine.KeywordIndexParams(is_tenant=True, memory=placed)
    for field in recipe.indexed:
        kinds[field] = (
            engine.UuidIndexParams(memory=placed) if field == "source" else engine.KeywordIndexParams(memory=placed)
        )
    return kinds


@functools.cache
def _options(dimension: int, recipe: Recipe) -> bytes:
    """The engine's file of options, as it writes it, with the size of the log that only this file knows. A folder with
    nothing else in it is loaded as an empty shard: in half the time it takes to create one.
    """
    with tempfile.TemporaryDirectory(prefix="ventures-") as folder:
        engine.EdgeShard.create(folder, _config(dimension, recipe)).close()
        options = json.loads((Path(folder) / "edge_config.json").read_bytes())
    if recipe.wal_bytes is not None:
        options["wal_options"] = {"segment_capacity": recipe.wal_bytes, "segment_queue_len": 0, "retain_closed": 1}
    return json.dumps(options).encode()


def _try_out(opened: engine.EdgeShard, dimension: int) -> None:
    """Reads a little of it, so that a shard that cannot be read says so now."""
    opened.count(engine.CountRequest(exact=True))
    opened.scroll(engine.ScrollRequest(limit=2, with_vector=True, with_payload=True))
    nearest = engine.Query.Nearest([1.0] + [0.0] * (dimension - 1))
    opened.search(engine.SearchRequest(query=nearest, limit=1, params=engine.SearchParams(indexed_only=True)))


def _difference(found: Manifest | None, wanted: Shape) -> str:
    if found is None:
        return "its manifest is gone or cannot be read"
    differing = [
        f"{field} is {getattr(found.shape, field)} and not {getattr(wanted, field)}"
        for field in wanted.__struct_fields__
        if getattr(found.shape, field) != getattr(wanted, field)
    ]
    return ", ".join(differing)


def _of_the_engine(error: BaseException) -> bool:
    """Plain exceptions, and panics, which come as no Exception at all."""
    return type(error) is Exception or type(error).__name__ == "PanicException"


def _said(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
