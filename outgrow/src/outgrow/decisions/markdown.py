"""Markdown that reads well as plain text too: folded lines, aligned tables, others' words that stay words."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from textwrap import wrap

WIDTH = 110
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)
_MARKS = re.compile(r"[\\`*\[\]<>|~]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)")
_LEADING = re.compile(r"^(\d+(?=[.)](?:\s|$))|(?=[-+#=]+(?:\s|$)))")
_CLOSES_A_HEADING = re.compile(r"(?<=\s)(?=#+$)")
_BARE_BAR = re.compile(r"(?<!\\)((?:\\\\)*)\|")
_GLUE = "\x01"
_STARTS_SOMETHING = re.compile(r"[+*]$|-+$|=+$|_+$|\*+$|#{1,6}$|\d{1,9}[.)]$|[>|]|```|~~~|\[")
_CANNOT_INTERRUPT = re.compile(r"(?!1[.)])\d|\[")
"""What begins a list or a definition, but only at the beginning of a paragraph."""
_PLAIN_SCALAR = re.compile(r"[A-Za-z][A-Za-z0-9_./ -]*(?<! )")
_MEANS_SOMETHING = {"yes", "no", "on", "off", "true", "false", "null", "y", "n"}


def clean(text: str) -> str:
    """Somebody's words on one line, without what steers a terminal or turns the direction of reading."""
    return " ".join(_UNSEEN.sub(" ", text).split())


def inline(text: str) -> str:
    """Others' words as Markdown that shows exactly them: no markup, no link, no HTML of theirs takes effect."""
    marked = _LEADING.sub(r"\1\\", _MARKS.sub(r"\\\g<0>", clean(text)))
    return _CLOSES_A_HEADING.sub(r"\\", marked)


def sentence(text: str) -> str:
    """Others' words as a sentence of their own: a capital, and a stop unless one is there; ``""`` for none."""
    said = clean(text)
    return inline(f"{said[:1].upper()}{said[1:]}{'' if said[-1:] in ('.', '!', '?', '') else '.'}")


def is_url(text: str) -> bool:
    """Whether a text is one web address and nothing else."""
    return text.startswith(("https://", "http://")) and not any(map(str.isspace, text))


def link_target(text: str) -> str:
    """A link's target between angle brackets: nothing in it ends the link."""
    return clean(text).replace("\\", "%5C").replace("<", "%3C").replace(">", "%3E").replace(" ", "%20")


def paragraph(text: str, *, first: str = "", rest: str = "") -> str:
    """One folded paragraph; no line of it begins with what Markdown takes for a list, a heading or a table."""
    lines = wrap(
        " ".join(text.split()).replace(" %", f"{_GLUE}%"),
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    whole = [line.replace(_GLUE, " ") for line in lines]
    return "\n".join(_harmless(line, rest if place else first, bool(place)) for place, line in enumerate(whole))


def bullets(items: Sequence[str]) -> str:
    """A list, one item each; ``""`` for none."""
    return "\n".join(paragraph(item, first="* ", rest="  ") for item in items)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose columns line up in plain text. Cells are Markdown; a bar in one stays in its cell."""
    cells = [[_BARE_BAR.sub(r"\1\\|", cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(head))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
             for row in cells]  # fmt: skip
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def scalar(text: str) -> str:
    """A text as a YAML scalar: bare where every reader takes it for text, else quoted."""
    if _PLAIN_SCALAR.fullmatch(text) and text.lower() not in _MEANS_SOMETHING:
        return text
    return "".join(one if one.isprintable() else _escaped(one) for one in json.dumps(text, ensure_ascii=False))


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _harmless(line: str, indent: str, within: bool) -> str:
    """The line with a backslash before what would begin something else; ``within``: not the paragraph's first."""
    body = line[len(indent) :]
    word = body.split(" ", 1)[0]
    if not _STARTS_SOMETHING.match(word) or (within and _CANNOT_INTERRUPT.match(word)):
        return line
    place = len(word) - 1 if word[0].isdigit() else 0
    return f"{indent}{body[:place]}\\{body[place:]}"
