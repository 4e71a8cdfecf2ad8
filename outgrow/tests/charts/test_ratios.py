"""The picture of ratios says what was measured, in words as well, and becomes a file."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from outgrow.charts.forecast import as_svg, save
from outgrow.charts.ratios import RatioWords, ratio_picture, ratio_ticks
from outgrow.evidence.records import MeasuredRatio
from outgrow.evidence.summary import RuledRatio
from outgrow.points.declaration import RatioRule
from outgrow.quantities import Interval

RULE = RatioRule(kind="ratio", stay=5, migrate=2)
SAID = RatioWords("a platform: Data architecture", "Partition is 8 times faster.", ("Untuned.",))


def ruled(option: str, against: str, low: float, mid: float, high: float, verdict: str | None) -> RuledRatio:
    ratio = Interval(low, mid, high, 0.95)
    return RuledRatio(MeasuredRatio(option, against, against == "tune", ratio, 12, "s", 0.0), verdict)


STAY = ruled("A", "tune", 6.5, 8, 9.1, "stay")
SHOWN = ruled("A", "current", 60, 75, 90, None)
UNKNOWN = RuledRatio(MeasuredRatio("B", "tune", True, None, 0, "s", 0.0, "it lies"), "inconclusive")


def texts(svg: str) -> str:
    return " ".join(ElementTree.fromstring(svg).itertext())


@pytest.mark.parametrize("dark", [False, True])
def test_every_ratio_stands_with_its_bounds_and_verdict(dark: bool) -> None:
    said = texts(as_svg(ratio_picture((STAY, SHOWN, UNKNOWN), RULE, SAID, dark=dark)))
    for words in ("A over tune", "8× (6.5 – 9.1)", "stay", "A over current", "shown, not ruled on",
                  "migrate: all below 2×", "stay: all above 5×", "equal", "Data architecture", "Untuned."):  # fmt: skip
        assert words in said
    assert "B over tune" not in said


def test_the_picture_is_told_in_words_too() -> None:
    described = ratio_picture((STAY,), RULE, SAID).to_dict(validate=False)["description"]
    assert "A over tune: 8× (6.5 – 9.1)." in described


def test_without_thresholds_only_equality_is_drawn() -> None:
    said = texts(as_svg(ratio_picture((SHOWN,), None, SAID)))
    assert "equal" in said
    assert "migrate:" not in said


def test_without_a_ratio_there_is_nothing_to_draw() -> None:
    with pytest.raises(ValueError, match="no ratio"):
        ratio_picture((UNKNOWN,), RULE, SAID)


def test_it_becomes_a_file(tmp_path: Path) -> None:
    save(ratio_picture((STAY,), RULE, SAID), tmp_path / "ratios.png")
    assert (tmp_path / "ratios.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("low", "high"), [(0.8, 1.3), (0.5, 20), (0.01, 1e6), (0.99, 1.01)])
def test_ticks_are_few_and_within(low: float, high: float) -> None:
    ticks = ratio_ticks(low, high)
    assert 2 <= len(ticks) <= 10
    assert all(low <= each <= high for each in ticks)
