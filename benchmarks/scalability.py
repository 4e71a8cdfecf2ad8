"""Published results that an implementation must reproduce: the universal scalability law and the M/M/c queue.

    python -m benchmarks scalability

The tables are those of the R package ``usl`` (SPEC SDM91, ray tracer) and of Gunther's Guerrilla Capacity Planning; the
synthetic one is the law itself with α = β = .02, γ = 1. A coefficient published as zero must come out as zero. What the
rounding of a published number explains (half a unit of its last digit) is not held against us: the last column is what
is left, and the one before is the plain relative distance.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import numpy as np

from benchmarks.report import Cell, Report, Table, Target, write_report
from outgrow.outlook.records import Refusal
from outgrow.outlook.scalability import Usl, fit_usl, p95_mmc

TOLERANCE = 0.0002
RAY_N = (1, 4, 8, 12, 16, 20, 24, 28, 32, 48, 64)
RAY_X = (20, 78, 130, 170, 190, 200, 210, 230, 260, 280, 310)


@dataclass(frozen=True, slots=True)
class Published:
    """A table and what was published about it, as text: the digits say how exactly."""

    name: str
    n: tuple[float, ...]
    x: tuple[float, ...]
    figures: dict[str, str]


PUBLISHED = (
    Published(
        "SPEC SDM91",
        (1, 18, 36, 72, 108, 144, 216),
        (64.9, 995.9, 1652.4, 1853.2, 1828.9, 1775.0, 1702.2),
        {
            "α": "0.0277285",
            "se α": "0.0091217",
            "β": "0.0001044",
            "se β": "0.0000199",
            "γ": "89.995",
            "Nmax": "96.52",
            "Xmax": "1884",
            "limit": "3245.6",
        },
    ),
    Published(
        "ray tracer",
        RAY_N,
        RAY_X,
        {"α": "0.057771", "β": "0", "γ": "21.848843", "limit": "378", "X(96)": "323.3", "X(128)": "335.5"},
    ),
    Published("ray tracer, first six", RAY_N[:6], RAY_X[:6], {"α": "0.02444", "β": "0.00163", "γ": "20.85605"}),
    Published(
        "exact, synthetic",
        (1, 2, 4, 6, 8, 10),
        tuple(n / (1 + 0.02 * (n - 1) + 0.02 * n * (n - 1)) for n in (1, 2, 4, 6, 8, 10)),
        {"α": "0.0200000", "β": "0.0200000", "γ": "1.00000"},
    ),
)
RATIOS = {
    1: {0.5: "1.80", 0.7: "3.00", 0.9: "9.0"},
    4: {0.5: "1.05", 0.7: "1.25", 0.9: "2.73"},
    8: {0.5: "1.01", 0.7: "1.06", 0.9: "1.64"},
    16: {0.5: "1.00", 0.7: "1.01", 0.9: "1.21"},
}


def half_a_unit(text: str) -> float:
    """Half a unit of the last digit of a number as published."""
    decimals = len(text.partition(".")[2])
    return 0.5 * 10.0**-decimals


def excess(measured: float, text: str) -> float:
    """Relative distance beyond what the rounding of the published number explains; 0 = as published."""
    published = float(text)
    if published == 0:
        return abs(measured)
    return max(0.0, abs(measured - published) - half_a_unit(text)) / abs(published)


def _plain(measured: float, text: str) -> str:
    return f"{abs(measured - float(text)) / (abs(float(text)) or 1):.4%}"


def figure(law: Usl, name: str) -> float:
    """A figure of the fitted law by its published name."""
    if name.startswith("X("):
        return float(law.at(np.array([float(name[2:-1])]))[0])
    values = {
        "α": law.alpha,
        "β": law.beta,
        "γ": law.gamma,
        "se α": law.alpha_error,
        "se β": law.beta_error,
        "Nmax": law.peak_n,
        "Xmax": law.peak_throughput,
        "limit": law.limit,
    }
    value = values[name]
    return math.nan if value is None else value


def main(arguments: list[str]) -> None:
    """Measure, print and write ``results/scalability.{md,json}``."""
    rows: list[tuple[Cell, ...]] = []
    coefficients: list[float] = []
    others: list[float] = []
    for published in PUBLISHED:
        law = fit_usl(np.array(published.n, dtype=np.float64), np.array(published.x, dtype=np.float64))
        if isinstance(law, Refusal):
            raise RuntimeError(f"{published.name}: {law.reason}")
        for name, text in published.figures.items():
            measured = figure(law, name)
            off = excess(measured, text)
            (coefficients if name in {"α", "β", "γ"} else others).append(off)
            rows.append((published.name, name, text, f"{measured:.7g}", _plain(measured, text), f"{off:.4%}"))
    queue: list[tuple[Cell, ...]] = []
    worst_ratio = 0.0
    for servers, ratios in RATIOS.items():
        for rho, text in ratios.items():
            ratio = p95_mmc(rho, servers) / p95_mmc(0.1, servers)
            worst_ratio = max(worst_ratio, excess(ratio, text))
            queue.append((servers, rho, text, f"{ratio:.4f}"))
    report = Report(
        name="scalability",
        title="Published results, reproduced",
        command=" ".join(["python -m benchmarks scalability", *arguments]),
        tables=(
            Table(
                "Universal scalability law",
                ("data", "figure", "published", "measured", "distance", "beyond its rounding"),
                tuple(rows),
            ),
            Table("p95 of M/M/c at ρ ÷ at .1", ("servers", "ρ", "known", "measured"), tuple(queue)),
        ),
        targets=(
            Target("coefficients: largest relative distance beyond rounding", max(coefficients), TOLERANCE),
            Target("their errors and peaks: the same", max(others), TOLERANCE),
            Target("M/M/c ratios: the same", worst_ratio, TOLERANCE),
        ),
        packages=("outgrow", "numpy"),
    )
    print(write_report(report).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main(sys.argv[1:])
