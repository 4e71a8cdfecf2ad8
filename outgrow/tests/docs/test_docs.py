"""Docs that fail the build: links resolve, blocks marked as runnable run and print what they show, words exist.

A block is runnable when an HTML comment stands right before it::

    <!-- run -->              the block below is run; its last command ends with 0
    <!-- run exit=3 -->       ... with 3
    <!-- file: outgrow.yaml -->   the block below is written to that file

In a ``console`` block, lines that begin with ``$ `` are commands and what follows is what they print, on stdout and
stderr, 100 columns wide. A line ``...`` stands for any lines, ``...`` within a line for any text. An ``sh`` block is a
script and shows nothing. The blocks of one page run one after the other in a folder of their own, in which ``docs`` is
this repository's. ``OUTGROW_GOLDEN=write pytest`` writes what is printed now into blocks without ``...``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from outgrow.cli import COMMANDS, build

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
NO_PAGES = ("node_modules", "golden", "goldens")
BOOKSHOP = DOCS / "examples" / "bookshop"


def pages() -> Iterator[Path]:
    """Every page of the repository; nothing below a folder with a dot, and no golden."""
    for folder, inner, files in os.walk(ROOT):
        inner[:] = [name for name in inner if not name.startswith(".") and name not in NO_PAGES]
        yield from (Path(folder, name) for name in files if name.endswith(".md"))


PAGES = tuple(sorted(pages()))
RUN = (
    ROOT / "README.md",
    *(page for part in ("tutorial", "howto", "explanation") for page in sorted((DOCS / part).glob("*.md"))),
)

LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
MARKED = re.compile(r"<!-- (run(?: exit=(\d+))?|file: (\S+)) -->\n+```(\w+)\n(.*?)```", re.DOTALL)
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@dataclass(frozen=True)
class Block:
    """A marked block: its place in the page's text, and what is expected of it."""

    start: int
    file: str | None
    exit_code: int
    language: str
    text: str

    def commands(self) -> Iterator[tuple[str, list[str]]]:
        """Each command with the lines it shows."""
        if self.language != "console":
            yield f"set -e\n{self.text}", []
            return
        for part in re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            yield command, shown.rstrip("\n").split("\n") if shown.strip() else []


def blocks(text: str) -> list[Block]:
    return [Block(found.start(5), found[3], int(found[2] or 0), found[4], found[5]) for found in MARKED.finditer(text)]


def matches(shown: list[str], printed: list[str]) -> bool:
    if not shown:
        return not printed
    if shown[0].strip() == "...":
        return any(matches(shown[1:], printed[place:]) for place in range(len(printed) + 1))
    if not printed:
        return False
    pattern = ".*".join(re.escape(part) for part in shown[0].rstrip().split("..."))
    return re.fullmatch(pattern, printed[0]) is not None and matches(shown[1:], printed[1:])


class Shell:
    """Runs commands one after the other, in a folder that ``cd`` changes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / ".pwd"
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("OUTGROW", "COLUMNS"))}
        path = f"{Path(sys.executable).parent}{os.pathsep}{clean.get('PATH', '')}"
        self.environment = clean | {"PATH": path, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1", "HOME": str(folder)}

    def run(self, command: str) -> tuple[int, list[str]]:
        """Exit code and printed lines."""
        script = f"trap 'pwd > \"{self.state}\"' EXIT\n{command}\n"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.folder = Path(self.state.read_text().strip())
        return done.returncode, [line.rstrip() for line in done.stdout.rstrip("\n").split("\n")] if done.stdout else []


def run_blocks(name: str, text: str, folder: Path) -> str:
    """Run the marked blocks of a page; returns its text with what was printed now."""
    (folder / "docs").symlink_to(DOCS)
    shell, rewritten = Shell(folder), []
    for block in blocks(text):
        if block.file is not None:
            (shell.folder / block.file).write_text(block.text, encoding="utf-8")
            continue
        told = list(block.commands())
        where = f"{name}:{text.count(chr(10), 0, block.start) + 1}"
        assert told, f"{where}: a runnable block without a command"
        lines: list[str] = []
        for place, (command, shown) in enumerate(told, start=1):
            code, printed = shell.run(command)
            lines += [f"$ {command}", *printed]
            happened = f"{where}: $ {command}\n" + "\n".join(printed)
            if place == len(told):
                assert code == block.exit_code, f"ended with {code}, not {block.exit_code}: {happened}"
            if os.environ.get("OUTGROW_GOLDEN") != "write" and block.language == "console":
                assert matches(shown, printed), f"printed something else: {happened}"
        if block.language == "console" and "..." not in block.text:
            rewritten.append((block, "\n".join(lines) + "\n"))
    for block, now in reversed(rewritten):
        text = text[: block.start] + now + text[block.start + len(block.text) :]
    return text


@pytest.mark.parametrize("page", [page for page in RUN if page.exists()], ids=name_of)
def test_what_is_marked_runs_and_prints_what_it_shows(page: Path, tmp_path: Path) -> None:
    text = run_blocks(name_of(page), page.read_text(encoding="utf-8"), tmp_path)
    if os.environ.get("OUTGROW_GOLDEN") == "write":
        page.write_text(text, encoding="utf-8")


GOOD = "<!-- run -->\n```console\n$ mkdir a && cd a\n$ pwd\n.../a\n$ printf 'x\\ny\\nz\\n'\nx\n...\n```\n"


@pytest.mark.parametrize(
    "right",
    [
        GOOD,
        "<!-- run exit=3 -->\n```sh\nexit 3\n```\n",
        "<!-- file: f -->\n```text\nb\n```\n<!-- run -->\n```console\n$ cat f\nb\n```\n",
        "```console\n$ never run\n```\n",
    ],
)
def test_a_block_that_prints_what_it_shows_passes(right: str, tmp_path: Path) -> None:
    assert run_blocks("page.md", right, tmp_path) == right


@pytest.mark.parametrize(
    "wrong",
    [GOOD.replace("/a\n", "/b\n"), GOOD.replace("x\n...", "x"), "<!-- run -->\n```sh\nfalse\n```\n"],
)
def test_a_block_that_prints_something_else_is_found(
    wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OUTGROW_GOLDEN", raising=False)
    with pytest.raises(AssertionError, match=r"page\.md:\d"):
        run_blocks("page.md", wrong, tmp_path)


@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_no_mark_is_mistyped(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert len(re.findall(r"<!-- *(?:run|file)", text)) == len(blocks(text)), f"{name_of(page)}: a mark without a block"
    for block in blocks(text):
        assert block.language != "console" or block.text.startswith("$ "), block.text


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_resolve(page: Path) -> None:
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{name_of(page)} links to {target}, which is not there"
        assert not anchor or linked.suffix != ".md" or anchor in anchors(linked), f"{name_of(page)}: no {target}"


def anchors(page: Path) -> set[str]:
    """The anchors GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    bare = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in bare}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_stands_in_the_reference(command: str) -> None:
    assert f"## outgrow {command}" in (DOCS / "reference" / "commands.md").read_text(encoding="utf-8")
    assert f"## outgrow {command}" in (DOCS / "reference" / "json.md").read_text(encoding="utf-8")


def test_every_page_can_be_reached_from_the_index() -> None:
    seen, waiting = set[Path](), [DOCS / "index.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        found = LINK.findall(FENCED.sub("", page.read_text(encoding="utf-8")))
        waiting += [
            (page.parent / target.partition("#")[0]).resolve() for target in found if not re.match(r"[a-z]+:|#", target)
        ]
    assert {page for page in PAGES if DOCS in page.parents} <= seen


def test_every_word_of_the_glossary_is_one_of_the_code() -> None:
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \*\*([^|]+)\*\* \| .+ \| (.+) \|$", text, re.MULTILINE)
    assert len(rows) > 20
    for word, code in rows:
        names = re.findall(r"`((?:outgrow|ventures)[\w.]*)`", code)
        assert names, word
        for name in names:
            assert named(name) is not None, f"{word}: there is no {name}"


def named(dotted: str) -> Any:
    """The module, class, field or value of a dotted name; None where there is none."""
    parts = dotted.split(".")
    for place in range(len(parts), 0, -1):
        try:
            found: Any = import_module(".".join(parts[:place]))
        except ImportError:
            continue
        for part in parts[place:]:
            fields = {**getattr(found, "__dataclass_fields__", {}), **getattr(found, "model_fields", {})}
            found = fields.get(part) if part in fields else getattr(found, part, None)
        return found
    return None


def test_decisions_are_numbered_and_dated() -> None:
    records = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for record in records:
        text = record.read_text(encoding="utf-8")
        assert re.match(r"---\nstatus: \w+\ndate: \d{4}-\d\d-\d\d\n---\n\n# .+\n", text), record.name
        for heading in ("Context and Problem Statement", "Considered Options", "Decision Outcome"):
            assert f"\n## {heading}\n" in text, record.name


@pytest.fixture(scope="module")
def bookshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example; its ledger holds the history and the ramp."""
    folder = tmp_path_factory.mktemp("shop")
    shutil.copytree(BOOKSHOP, folder, dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("OUTGROW_LEDGER", raising=False)
        files = [str(folder / name) for name in ("history.csv", "ramp.csv")]
        told = ["import", *files, "--simulated", "--config", str(folder / "outgrow.yaml")]
        build(("import",))(told, standalone_mode=False)
    return folder


@pytest.mark.parametrize(
    "words",
    [
        "check",
        "status --as-of 2026-11-01",
        "forecast --as-of 2026-11-01",
        "import ramp.csv --made 2026-10-20 --simulated",
        "note search house-style ok",
        "pace",
        "init -c other.yaml",
        "export report --no-pictures --as-of 2026-11-01",
        "export grafana",
        "export prometheus-rules",
    ],
)
def test_every_field_of_the_json_is_documented(
    words: str, bookshop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OUTGROW_LEDGER", raising=False)
    monkeypatch.delenv("OUTGROW_CONFIG", raising=False)
    monkeypatch.chdir(bookshop)
    command = words.split()[0]
    build((command,))([*words.split(), "--json"], standalone_mode=False)
    section = (DOCS / "reference" / "json.md").read_text(encoding="utf-8")
    section = section.split(f"## outgrow {command}\n")[1].split("\n## ")[0]
    documented = {word for span in re.findall(r"`([^`]+)`", section) for word in re.findall(r"\w+", span)} | {"schema"}
    printed = json.loads(capsys.readouterr().out)
    assert printed.pop("schema") == "outgrow/v1"
    printed.pop("dashboard", None)
    missing = set(keys(printed)) - documented
    assert not missing, f"outgrow {words} --json has {sorted(missing)}"


def keys(value: Any) -> Iterator[str]:
    """The names of all fields, ids used as keys apart."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from () if "-" in key or key == "search" else (key,)
            yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)


CONSTANT = re.compile(r"^(\| `(outgrow\.[\w.]+)` \| )([^|]+)( \|)", re.MULTILINE)


@pytest.mark.parametrize("page", sorted((DOCS / "explanation").glob("*.md")), ids=name_of)
def test_every_constant_has_the_value_it_has_in_the_code(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    now = CONSTANT.sub(lambda found: f"{found[1]}{shown(named(found[2]))}{found[4]}", text)
    if os.environ.get("OUTGROW_GOLDEN") == "write":
        page.write_text(now, encoding="utf-8")
    else:
        assert now == text


def shown(value: Any) -> str:
    """A constant as the pages show it."""
    assert value is not None
    if isinstance(value, dict):
        return ", ".join(f"{shown(key)}: {shown(inner)}" for key, inner in value.items())
    return ", ".join(map(shown, value)) if isinstance(value, tuple) else f"{value:.4g}"
