"""The page as a browser without a network would have it: whole, escaped, worst first, the same each time."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outgrow.errors import UsageError
from outgrow.ports import Note
from outgrow.reports.report_page import Picture, Report, report_page
from outgrow.reports.svg import inline_svg

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg"><defs><clipPath id="c1"><rect/></clipPath></defs>'
    '<g clip-path="url(#c1)"/></svg>'
)
TEMPLATES = Path(__file__).parents[2] / "src" / "outgrow" / "reports" / "templates"


class Page(HTMLParser):
    """What a browser would make of the page: elements in order, their words, and everything it would ask for."""

    VOID = ("meta", "link", "br", "img", "input")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page(make: Any, *points: Any, **fields: Any) -> Page:
    return Page(report_page(Report(make.declaration(), points, make.now, **fields)))


def full(make: Any) -> dict[str, Any]:
    triggers = (make.trigger("firing", value=6.2, forecast=make.forecast()), make.trigger("unknown", trigger="failing"))
    return {
        "points": [make.point("firing", *triggers)],
        "pictures": {"data": Picture(SVG, SVG, "a picture")},
        "notes": (Note(1, "data", "contract", "they ask for EU data", "Ann", make.now, make.now, None),),
        "ledger": "ledger.sqlite",
        "ledger_digest": "3f2a9c",
    }


def test_it_asks_for_nothing_and_can_do_nothing(make: Any) -> None:
    fields = full(make)
    found = page(make, *fields.pop("points"), **fields)
    assert not {"script", "link", "img", "iframe", "object", "embed", "form", "base"} & {tag for tag, _ in found.tags}
    for _, attributes in found.tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "srcset", "action")]
        assert (attributes.get("href") or "#").startswith("#")
    policy = next(each["content"] for each in found.all("meta") if each.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    css = "".join(file.read_text() for file in (TEMPLATES / "_base.css", TEMPLATES / "report.html.j2"))
    assert not re.search(r"@import|url\(|https?://", css)


def test_it_says_what_a_reader_needs(make: Any) -> None:
    fields = full(make)
    said = page(make, *fields.pop("points"), **fields).text
    for needed in ("Outlook of a service", "15 Jan 2027, 08:00 UTC", "1 firing", "6.2 s", "warns at 5 s", "15 s",
                   "5,400", "4,100–7,000", "5 May 2027", "23 Feb 2027", "no earlier than 3,100", "Not knowable yet.",
                   "The arithmetic", "users grow by 12 % a month", "70% is growth", "they ask for EU data", "Ann",
                   "measured", "ledger.sqlite, digest 3f2a9c", "real time",
                   "outgrow forecast data --explain"):  # fmt: skip
        assert needed in said, needed


def test_worst_comes_first_and_not_knowing_never_looks_fine(make: Any) -> None:
    states = ("quiet", "approaching", "unknown", "firing")
    points = [make.point(state, make.trigger(state), id=state, title=f"The {state} one") for state in states]
    found = page(make, *points)
    order = [each["class"] for each in found.all("section")]
    assert order == [f"card point {state}" for state in ("firing", "unknown", "approaching", "quiet")]
    unknown = page(make, points[2])
    assert not [each for _, each in unknown.tags if "quiet" in (each.get("class") or "")]
    stale = page(make, make.point("unknown", make.trigger("unknown", value=3.1)))
    assert "3.1 s last known" in stale.text
    assert not [each for each in stale.all("svg") if each.get("class") == "gauge"]
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", (TEMPLATES / "_base.css").read_text()))
    assert len({colours[state] for state in states}) == 4


def test_simulated_and_rehearsed_is_stamped_on_top(make: Any) -> None:
    simulated = make.forecast(origins=("imported", "simulated"))
    found = page(make, make.point("quiet", make.trigger("quiet", forecast=simulated)), time_scale="1s=1d")
    top = found.text[: found.text.index("Declared limit")]
    assert "Made with simulated history" in top
    assert "time runs at 1s=1d" in top
    assert "simulated" not in page(make, make.point("quiet", make.trigger("quiet", forecast=make.forecast()))).text


def test_without_points_or_data_it_is_still_a_page(make: Any) -> None:
    assert "There is no rewrite point" in page(make).text
    bare = make.point(
        "unknown", make.trigger("unknown"), measured_users=None, governs="declared", users_now=None, start_by=None
    )
    said = page(make, bare).text
    assert "Users now unknown" in said
    assert "Measured limit not yet" in said
    assert "Breaks no date" in said


def test_it_can_be_read_without_eyes(make: Any) -> None:
    fields = full(make)
    found = page(make, *fields.pop("points"), **fields)
    headings = [int(tag[1]) for tag, _ in found.tags if re.fullmatch(r"h[1-6]", tag)]
    assert headings[0] == 1
    assert headings.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(headings))
    assert len(found.all("caption")) == len(found.all("table")) == 2
    assert all(each.get("scope") for each in found.all("th"))
    ids = [each["id"] for _, each in found.tags if each.get("id")]
    assert len(set(ids)) == len(ids)
    named = {each.get("aria-labelledby") for _, each in found.tags if each.get("aria-labelledby")}
    assert named <= set(ids)
    assert found.all("html")[0]["lang"] == "en"


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [0, 1])
def test_contrast_is_enough_on_light_and_on_dark(theme: int) -> None:
    blocks = re.findall(r":root \{(.*?)\}", (TEMPLATES / "_base.css").read_text(), re.DOTALL)
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", blocks[theme]))
    for ink in ("ink", "soft", "link", "firing", "unknown", "approaching", "quiet"):
        for ground in ("paper", "card", "wash"):
            lighter, darker = sorted((luminance(colours[ink]), luminance(colours[ground])), reverse=True)
            assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (ink, ground)


words = st.text(alphabet=st.sampled_from("<>&\"'`{}%/ax\u202e\n"), min_size=1, max_size=30)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(text=words)
def test_no_word_becomes_markup(make: Any, text: str) -> None:
    def made(word: str) -> Page:
        trigger = make.trigger(
            "firing", title=word, reason=word, forecast=make.forecast(steps=(word,), time_scale=word)
        )
        note = Note(1, "data", "contract", word, word, make.now, make.now, make.now)
        point = make.point("firing", trigger, title=word, sentence=word)
        return page(make, point, notes=(note,), time_scale=word, ledger=word)

    tags = [tag for tag, _ in made(text).tags if tag not in ("code", "small", "span")]
    assert tags == [tag for tag, _ in made("x").tags if tag not in ("code", "small", "span")]


def test_the_same_report_gives_the_same_page(make: Any) -> None:
    fields = full(make)
    report = Report(make.declaration(), fields.pop("points"), make.now, **fields)
    assert report_page(report) == report_page(report)


def test_pictures_on_one_page_do_not_meet(make: Any) -> None:
    fields = full(make)
    found = page(make, *fields.pop("points"), **fields)
    assert [each["id"] for each in found.all("clippath")] == ["p1l-c1", "p1d-c1"]
    assert [each["clip-path"] for each in found.all("g")] == ["url(#p1l-c1)", "url(#p1d-c1)"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not a picture",
        "<svg><g></svg>",
        "<svg/><p></p>",
        "<svg><script>1</script></svg>",
        "<svg><g onclick='1'/></svg>",
        "<svg><image href='https://x.test/p.png'/></svg>",
        "<svg><a href='#x'/></svg>",
        "<svg><text xlink:href='https://x.test'/></svg>",
        "<svg><rect fill='url(https://x.test/f)'/></svg>",
        "<svg><rect style='fill: url( //x.test/f)'/></svg>",
        "<svg><style>@import url(x)</style></svg>",
        "<svg><foreignObject></foreignObject></svg>",
        "<!DOCTYPE svg [<!ENTITY a 'b'>]><svg></svg>",
        "<svg><!-- --></svg>",
        "<svg></svg></div><script>1</script><svg></svg>",
    ],
)
def test_what_is_more_than_a_picture_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="picture"):
        inline_svg(text, "p-")
