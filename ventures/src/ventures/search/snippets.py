"""A piece of a passage around the words that were asked for, which stand between « and ».

It is plain text: whoever shows it escapes it as any other. Guillemets of the text itself become ‹ ›, so that « and »
always mean a mark.
"""

import re
import unicodedata
from typing import Final

BEGIN: Final = "\x02"
END: Final = "\x03"
"""Around words that were asked for. Control characters, which no snippet shows; a text in ASCII stays so with them."""
MOST_CHARACTERS: Final = 240
BEFORE: Final = 60
"""Characters shown before the first mark."""
ELLIPSIS: Final = "…"
_JOINER: Final = "\u200d"
_UNSEEN: Final = re.compile(
    "[\x00\x01\x04-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff]"
)
"""Control characters that are no space, and characters of format: the direction of writing must not reach beyond the
snippet.
"""
_MARK: Final = re.compile(f"([{BEGIN}{END}])")
_SHOWN: Final = (("«", "‹"), ("»", "›"), (BEGIN, "«"), (END, "»"))
_REGIONAL: Final = range(0x1F1E6, 0x1F200)
_SKIN: Final = range(0x1F3FB, 0x1F400)


def snippet(marked: str, most: int = MOST_CHARACTERS) -> str:
    """At most `most` characters and the marks and ellipses around them, on one line, cut between words where there
    is one nearby, and never within what a reader takes for one character. marked: the text, words that were asked for
    between BEGIN and END.
    """
    plain, spans = _unmarked(marked if _on_one_line(marked) else " ".join(_UNSEEN.sub("", marked).split()))
    start = _start(plain, spans[0][0] if spans else 0, most)
    end = _end(plain, start, most)
    pieces, at = [ELLIPSIS if start else ""], start
    for opened, closed in spans:
        if opened >= start and closed <= end and opened < closed:
            pieces += [plain[at:opened], BEGIN, plain[opened:closed], END]
            at = closed
    pieces += [plain[at:end], ELLIPSIS if end < len(plain) else ""]
    shown = "".join(pieces)
    for one, instead in _SHOWN:
        shown = shown.replace(one, instead)
    return shown


def _on_one_line(marked: str) -> bool:
    """Whether there is nothing in it that is not shown: most texts have nothing."""
    text = marked.replace(BEGIN, "").replace(END, "")
    return text.isprintable() and "  " not in text and text[:1] != " " != text[-1:]


def words_in(marked: str) -> tuple[str, ...]:
    """The words between marks, in lower case, each once, in their order."""
    plain, spans = _unmarked(marked)
    return tuple(dict.fromkeys(plain[opened:closed].lower() for opened, closed in spans if opened < closed))


def _unmarked(marked: str) -> tuple[str, list[tuple[int, int]]]:
    """The text without marks, and where they were, as (first, behind the last)."""
    pieces, spans, at, opened = list[str](), list[tuple[int, int]](), 0, -1
    for piece in _MARK.split(marked):
        if piece == BEGIN:
            opened = at
        elif piece == END:
            if opened >= 0:
                spans.append((opened, at))
            opened = -1
        else:
            pieces.append(piece)
            at += len(piece)
    return "".join(pieces), spans


def _start(text: str, first: int, most: int) -> int:
    """Where the snippet begins, so that the first mark is in it."""
    start = max(0, min(first - BEFORE, len(text) - most))
    if start == 0:
        return 0
    space = text.find(" ", start, max(start, first))
    start = space + 1 if space >= 0 else start
    while start < first and not _between(text, start):
        start += 1
    return start


def _end(text: str, start: int, most: int) -> int:
    """Behind its last character."""
    end = start + most
    if end >= len(text):
        return len(text)
    space = text.rfind(" ", start + most * 2 // 3, end + 1)
    end = space if space > start else end
    while end > start and not _between(text, end):
        end -= 1
    return end


def _between(text: str, at: int) -> bool:
    """Whether what a reader takes for one character ends before `at`. Of Unicode's grapheme clusters (UAX 29) it
    keeps together marks, joined and modified emoji, flags, and the parts of a Hangul syllable.
    """
    if not 0 < at < len(text):
        return True
    before, after = text[at - 1], text[at]
    if before == _JOINER or after in (_JOINER, "\u200c") or ord(after) in _SKIN:
        return False
    if unicodedata.category(after) in ("Mn", "Me", "Mc") or "\u1160" <= after <= "\u11ff":
        return False
    if ord(after) in _REGIONAL:
        flags = 0
        while flags < at and ord(text[at - 1 - flags]) in _REGIONAL:
            flags += 1
        return flags % 2 == 0
    return True
