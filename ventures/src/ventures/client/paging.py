"""Pages of a list, read as they are needed."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True):
    """`next` is the cursor of the page after this one; None when this is the last."""

    items: list[T]
    next: str | None


class Pages(Generic[T]):
    """A list of any length. Iterating over it yields all its items and asks for a page when it comes to it.

    Each iteration asks anew.
    """

    def __init__(self, read: Callable[[str | None], Page[T]]) -> None:
        self._read = read

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            yield from page.items

    def pages(self) -> Iterator[Page[T]]:
        """All pages."""
        page = self.page()
        yield page
        while page.next is not None:
            page = self.page(page.next)
            yield page

    def page(self, cursor: str | None = None) -> Page[T]:
        """One page: the first, or the one that `next` of another names."""
        return self._read(cursor)
