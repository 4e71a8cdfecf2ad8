"""Pictures inside a page: checked to be nothing but a picture, and told apart from each other."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from markupsafe import Markup

from outgrow.errors import UsageError

_ELEMENTS = frozenset({
    *("svg", "g", "defs", "title", "desc", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon"),
    *("text", "tspan", "clippath", "lineargradient", "radialgradient", "stop", "mask", "pattern", "marker"),
})  # fmt: skip
_OUTSIDE = re.compile(r"url\(\s*(?![\"']?#)", re.IGNORECASE)
_ID = re.compile(r'(\sid="|url\(#|href="#)')


class _Inspector(HTMLParser):
    """Reads the way a browser reads markup in a page, and notes the first thing that is no picture."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.finding = ""
        self.depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.depth += 1
        if tag not in _ELEMENTS:
            self.finding = self.finding or f"<{tag}>"
        for name, value in attrs:
            leads_out = name.rpartition(":")[2] in ("href", "src") and not (value or "").startswith("#")
            if name.startswith("on") or leads_out or _OUTSIDE.search(value or ""):
                self.finding = self.finding or f"{name} of <{tag}>"

    def handle_endtag(self, _tag: str) -> None:
        self.depth -= 1

    def handle_decl(self, decl: str) -> None:
        self.finding = self.finding or f"<!{decl}>"

    def unknown_decl(self, data: str) -> None:
        self.finding = self.finding or f"<![{data}]>"

    def handle_pi(self, data: str) -> None:
        self.finding = self.finding or f"<?{data}>"

    def handle_comment(self, _data: str) -> None:
        self.finding = self.finding or "a comment"


def inline_svg(text: str, prefix: str) -> Markup:
    """The picture as markup for a page; its ids get ``prefix``, for several pictures share one page.

    Raises:
        UsageError: it is broken, or could run, load or lead to something.
    """
    svg = text.strip()
    inspector = _Inspector()
    inspector.feed(svg)
    inspector.close()
    if not (svg.startswith("<svg") and svg.endswith("</svg>")) or inspector.depth:
        raise UsageError("a picture for the page is not one whole SVG")
    if inspector.finding:
        raise UsageError(f"a picture for the page holds {inspector.finding}, which no picture needs")
    return Markup(_ID.sub(lambda found: f"{found[1]}{prefix}", svg))  # noqa: S704 - inspected just above
