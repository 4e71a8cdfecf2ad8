"""The directory that the demo leaves behind: what is in it, and that nothing else is touched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from outgrow.errors import UsageError

MARK = "# Written by `outgrow demo`"
OWN_FILES = ("outgrow.yaml", "ramp.csv", "history.csv", "forecast.svg", "forecast.png")
OWN_LEDGER = ("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm")


@dataclass(frozen=True, slots=True)
class Limits:
    """The thresholds of the demo's trigger, seconds."""

    warn_seconds: float
    break_seconds: float


def prepare_directory(directory: Path) -> None:
    """Make the directory, or take the files of an earlier demo out of it.

    Raises:
        UsageError: it holds something that no demo wrote, or cannot be written.
    """
    config = directory / "outgrow.yaml"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        is_ours = config.is_file() and config.read_text(errors="replace").startswith(MARK)
        if not is_ours and any(directory.iterdir()):
            raise UsageError(
                f"{directory} is not empty, and no demo wrote it", next_step="outgrow demo --directory another-folder"
            )
        for path in (
            *(directory / ".outgrow" / name for name in OWN_LEDGER),
            *(directory / name for name in OWN_FILES),
        ):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"{directory} cannot be used: {error.strerror}", next_step="choose another folder") from error


def write_declaration(config: Path, *, metrics_url: str | None, limits: Limits | None) -> None:
    """Write ``outgrow.yaml``.

    Args:
        config: its path.
        metrics_url: where the service can be scraped; None once it has ended.
        limits: None while the ramp has not shown them: then placeholders stand there, and say so.
    """
    placeholder = "" if limits else "  # a placeholder: the ramp did not come to its end"
    chosen = limits or Limits(1.0, 2.0)
    text = _TEMPLATE.format(
        mark=MARK,
        warn=f"{chosen.warn_seconds * 1000:g}ms",
        breaks=f"{chosen.break_seconds * 1000:g}ms",
        placeholder=placeholder,
        sources=_RUNNING.format(url=metrics_url) if metrics_url else _ENDED,
    )
    part = config.with_name(".outgrow.yaml.part")
    part.write_text(text)
    part.replace(config)


_RUNNING = 'sources:\n- {{kind: scrape, targets: ["{url}"]}}\n'
_ENDED = """\
# The service ended with the demo. To watch it again, start it and take the next two lines in:
#   python -m outgrow.demo.service --port 8099
# sources:
# - {kind: scrape, targets: ["http://127.0.0.1:8099/metrics"]}
"""

_TEMPLATE = """\
{mark}: a real service, ramped to its limit on this machine,
# and a year of users that is simulated. Windows are short because the demo is.
apiVersion: outgrow/v1
name: demo search

users: {{signal: registered_users}}
load: {{signal: searches_per_second}}
milestones: [500, 1000, 2000, 4000, 8000]

signals:
  registered_users: {{unit: users, metric: registered_users, value: true}}
  searches_per_second:
    {{unit: per_second, metric: http_requests_total, labels: {{path: /search}}, rate: true, window: 10s}}
  search_p95: {{unit: seconds, title: search p95, metric: search_seconds, quantile: 0.95, window: 10s}}

points:
- id: search
  title: Search gets slow
  root_cause: one thread answers every search, and looks at every passage
  monitor_from: 1000
  decide_by: 1500
  complete_before: 2000
  likelihood: inevitable
  risk: medium
  rollback: low
  felt_by_users: results come late at busy hours
  triggers:
  - id: slow-search
    title: searches are slow
    signal: search_p95
    threshold: {warn}{placeholder}
    breaks_at: {breaks}{placeholder}
    for: 10m
    runbook: look at the queue length first
  options:
  - {{id: tune, title: Search fewer passages, effort_weeks: [0.5, 1]}}
  - {{id: A, title: Partition the corpus, effort_weeks: [2, 3]}}
  rule: {{kind: ratio, stay: 5, migrate: 2}}

team: {{people: 2, simultaneous: 1, learning_buffer: 0.25, months_between: 6, always_operational: 1}}

{sources}"""
