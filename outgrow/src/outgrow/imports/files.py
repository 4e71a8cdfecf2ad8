"""Files to import: opened, decompressed and decoded, and told where they are broken."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from outgrow.errors import ImportRefused, UsageError

Progress = Callable[[int, int], None]
"""Called now and then with the bytes read so far and the bytes in all."""

GZIP_MAGIC = b"\x1f\x8b"
PARQUET_MAGIC = b"PAR1"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def no_progress(done: int, total: int) -> None:
    """Tell nobody."""
    del done, total


def first_bytes(path: Path, count: int) -> bytes:
    """The first bytes of a file. Raises ``UsageError`` when it cannot be opened."""
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


class Text:
    """An open text file that knows how far it was read."""

    def __init__(self, path: Path, raw: BinaryIO, lines: TextIO) -> None:
        self.path = path
        self.lines = lines
        self.size = path.stat().st_size
        self._raw = raw

    @property
    def done(self) -> int:
        """Bytes of the file read so far."""
        return min(self._raw.tell(), self.size)


@contextmanager
def open_text(path: Path) -> Iterator[Text]:
    """A file's text, decompressed where it is gzipped, without a byte order mark.

    Raises:
        UsageError: there is no such file, or it cannot be opened.
        ImportRefused: inside the block, when the text turns out to be no UTF-8 or the gzip data are broken.
    """
    start = first_bytes(path, 2)
    if start in _UTF_16:
        raise ImportRefused(
            str(path), 1, "this is UTF-16 text, not UTF-8", next_step=f"iconv -f UTF-16 -t UTF-8 {path} > utf8.csv"
        )
    with path.open("rb") as raw:
        stream = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if start == GZIP_MAGIC else raw
        try:
            yield Text(path, raw, io.TextIOWrapper(stream, encoding="utf-8-sig", newline=""))
        except UnicodeDecodeError:
            raise ImportRefused(str(path), _line_of_bad_text(path), "this is not UTF-8 text") from None
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ImportRefused(str(path), 1, f"the gzip data are broken: {error}") from None


def _line_of_bad_text(path: Path) -> int:
    gzipped = first_bytes(path, 2) == GZIP_MAGIC
    with gzip.open(path) if gzipped else path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 1
