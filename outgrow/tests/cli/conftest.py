"""The real command in a real process, and a workspace with a year of history and a ramp."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

DAY = 86400.0

DECLARATION = (Path(__file__).parent / "declaration.yaml").read_text()


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Runner = Callable[..., Ran]


@pytest.fixture(scope="session")
def outgrow() -> Runner:
    def run(*words: str, cwd: Path, **environment: str) -> Ran:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("OUTGROW")}
        done = subprocess.run(
            [sys.executable, "-m", "outgrow", *words],
            cwd=cwd,
            env={**clean, "NO_COLOR": "1", **environment},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


def p95(load: np.ndarray) -> np.ndarray:
    """One server that saturates at 90 requests a second."""
    rho = np.minimum(load / 90.0, 0.985)
    return 0.05 / (1 - rho)


@pytest.fixture(scope="session")
def history_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400 days of daily history that ends today: users grow 8 % a month, load follows, latency follows load."""
    rng = np.random.default_rng(3)
    times = np.floor(time.time()) - DAY * np.arange(400)[::-1]
    users = 600 * 1.08 ** (np.arange(400) / 30.44)
    load = 0.03 * users * (1 + 0.1 * np.sin(2 * np.pi * np.arange(400) / 7)) * np.exp(rng.normal(0, 0.02, 400))
    rows = ["time,signal,value"]
    for name, values in (
        ("registered_users", np.round(users)),
        ("requests_per_second", load),
        ("vector_p95", p95(load) * np.exp(rng.normal(0, 0.04, 400))),
    ):
        rows += [f"{at:.0f},{name},{value:.6g}" for at, value in zip(times, values, strict=True)]
    path = tmp_path_factory.mktemp("history") / "history.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="session")
def ramp_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    levels = np.array([10, 20, 30, 40, 50, 60, 70, 80, 85, 88])
    rows = ["load_per_second,p95_seconds", *(f"{x},{y:.5f}" for x, y in zip(levels, p95(levels), strict=True))]
    path = tmp_path_factory.mktemp("ramp") / "ramp.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="session")
def workspace(outgrow: Runner, history_csv: Path, ramp_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose ledger holds the history and the ramp. Read only; copy it to change it."""
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "outgrow.yaml").write_text(DECLARATION)
    imported = outgrow("import", str(history_csv), cwd=folder)
    assert imported.code == 0, imported.err
    imported = outgrow("import", str(ramp_csv), "--signal", "vector_p95", "--open-loop", cwd=folder)
    assert imported.code == 0, imported.err
    return folder
