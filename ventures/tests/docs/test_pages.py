"""The pages of ventures are true: what they show is typed into a real `ventures serve`, and must come out as shown.

A block is typed in when an HTML comment stands right before it::

    <!-- typed -->              a `console` or `sh` block is run in a shell; a `python` block pasted into a prompt
    <!-- typed exit=1 -->       ... its last command ends with 1
    <!-- typed needs=node -->   ... it is left out where there is no such program
    <!-- prints -->             the `text` block shows what the `python` block before it printed
    <!-- said -->               `ventures serve` has said the lines of the `console` block, in this order
    <!-- written: name.py -->   the block is written to that file
    <!-- set -->                `ventures serve` is ended, and started again with the settings of the `sh` block

What a how-to takes as given is Python in a comment of its own that begins with `<!-- before`.

A page is one session: one folder, one Python prompt, people of its own. A line `...` stands for any lines, `...` within
a line for any text, spaces for any spaces. What is different every time (ids, hashes, tokens, process numbers, times
before 2030) only has to be of the same kind, and what a page shows once stands for the same thing from then on.
`OUTGROW_GOLDEN=write pytest` writes what is printed now into blocks without `...`.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from code import InteractiveConsole
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Final

import httpx2
import pytest

from ventures.testing.language_model import LocalLanguageModel, language_model
from ventures.testing.mastodon import LocalMastodon, mastodon
from ventures.testing.serving import Serving, folder, serving

ROOT: Final = Path(__file__).resolve().parents[3]
HOWTO: Final = ROOT / "docs" / "howto"
PAGES: Final = (
    ROOT / "ventures" / "README.md",
    ROOT / "docs" / "tutorial" / "first-venture.md",
    *(
        HOWTO / f"{name}.md"
        for name in (
            "look-into-a-log",
            "publish-to-mastodon",
            "receive-webhooks",
            "run-ventures",
            "watch-ventures",
            "search-and-draft",  # the last one, since it changes settings
        )
    ),
)
URL: Final = "http://127.0.0.1:8400"
MASTODON: Final = "https://mastodon.example"
DATA: Final = "/var/lib/ventures"
TOKEN: Final = "YOUR-ACCESS-TOKEN"
MODEL: Final = "https://api.example.org/v1"
MODEL_KEY: Final = "/etc/ventures/language-model-key"
SAYS: Final = "The first flush of Darjeeling is here, picked in March [1]. It is gone by May [1], as every year [9]."
"""What the language model writes, whatever it is asked for."""
SOONER: Final = {"timedelta(minutes=1)": "timedelta(seconds=4)"}
"""People need time to type; nobody waits for a test."""
PEOPLE: Final = "@example.org"

BEHIND: Final = re.compile(
    r"^ventures_(consumer_lag_events\{.*\} [1-9]|index_ventures\{.*behind.*\} [1-9]|index_usable\{.*\} 0)",
    re.MULTILINE,
)
"""What the page of metrics shows while something follows the log still."""

PATIENCE_SECONDS: Final = 90.0
"""Only so that a fault ends the test instead of hanging it."""

MARKED: Final = re.compile(
    r"<!-- (?P<mark>typed(?: needs=(?P<needs>\w+))?(?: exit=(?P<exit>\d+))?|prints|said|set|"
    r"written: (?P<file>\S+)) -->\n+"
    r"```(?P<language>\w+)\n(?P<text>.*?)```"
    r"|<!-- (?P<before>before)\n(?P<given>.*?)-->",
    re.DOTALL,
)
HEX: Final = "[0-9a-f]"
KINDS: Final = {
    "id": rf"{HEX}{{8}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{12}}",
    "hash": rf"\b{HEX}{{64}}\b",
    "end": rf"…{HEX}{{8}}\b",
    "token": r"\b(?:vi|vk|whsec|msg)_[\w+/=-]+",
    "process": r"(?<=process )\d+",
    "time": r"\b202\d-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?",
}
VARIES: Final = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in KINDS.items()))


@dataclass(frozen=True)
class Block:
    """A marked block: its place in the page's text, and what is expected of it."""

    mark: str
    start: int
    file: str | None
    needs: str | None
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
    return [
        Block("before", found.start("given"), None, None, 0, "python", found["given"])
        if found["before"]
        else Block(
            found["mark"].split()[0].rstrip(":"), found.start("text"), found["file"], found["needs"],
            int(found["exit"] or 0), found["language"], found["text"],
        )
        for found in MARKED.finditer(text)
    ]  # fmt: skip


@dataclass
class Meaning:
    """What the words of a page stand for in this run. `real`: by the page's own word."""

    real: dict[str, str]

    def there(self, text: str) -> str:
        """A page's text, as it is typed in."""
        for word in sorted(self.real, key=len, reverse=True):
            text = text.replace(word, self.real[word])
        return text

    def here(self, text: str) -> str:
        """What was printed, as the page would say it."""
        for word in sorted(self.real, key=lambda word: len(self.real[word]), reverse=True):
            text = text.replace(self.real[word], word)
        return text

    def learn(self, shown: list[str], printed: list[str]) -> bool:
        """Whether this is what the page shows; from now on its new words stand for what was printed in their place."""
        pattern, kinds = self._pattern(shown)
        found = re.fullmatch(pattern, "".join(f"{line}\n" for line in printed))
        if found is None:
            return False
        for number, (kind, word) in enumerate(kinds, start=1):
            if kind != "time":
                self.real.setdefault(word, found[number])
        return True

    def _pattern(self, shown: list[str]) -> tuple[str, list[tuple[str, str]]]:
        parts: list[str] = []
        kinds: list[tuple[str, str]] = []
        for line in shown:
            if line.strip() == "...":
                parts.append(r"(?:.*\n)*?")
                continue
            for place, piece in enumerate(line.rstrip().split("...")):
                parts.append(".*?" if place else "")
                parts.append(self._piece(piece, kinds))
            parts.append(r"[ \t]*\n")
        return "".join(parts), kinds

    def _piece(self, text: str, kinds: list[tuple[str, str]]) -> str:
        parts, end = [], 0
        for found in VARIES.finditer(text):
            kind, word = str(found.lastgroup), found[0]
            parts.append(self._fixed(text[end : found.start()]))
            if word in self.real:
                parts.append(re.escape(self.real[word]))
            else:
                kinds.append((kind, word))
                parts.append(f"({KINDS[kind]})")
            end = found.end()
        return "".join((*parts, self._fixed(text[end:])))

    def _fixed(self, text: str) -> str:
        spaced = (re.escape(word) for word in re.split(r"\s+", self.there(text)))
        return r"\s+".join(spaced)


@contextmanager
def patience(where: str) -> Iterator[None]:
    """Ends what waits for something that does not come. Raises: AssertionError."""

    def over(*_: object) -> None:
        raise AssertionError(f"{where}: not done within {PATIENCE_SECONDS:.0f} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Prompt(InteractiveConsole):
    """Python's own prompt, line by line as it is when a block is pasted; what goes wrong is raised."""

    def paste(self, text: str, where: str) -> list[str]:
        """→ what is printed. Raises: AssertionError where it is not complete, and whatever the block raises."""
        self.filename = where
        with redirect_stdout(StringIO()) as said, patience(where):
            more = False
            for line in (*text.rstrip("\n").split("\n"), ""):
                more = self.push(line)
            assert not more, f"{where}: not complete"
        return said.getvalue().rstrip("\n").split("\n") if said.getvalue().strip() else []

    def showtraceback(self) -> None:
        error = sys.exc_info()[1]
        assert error is not None
        raise error

    def showsyntaxerror(self, *_: object, **__: object) -> None:
        self.showtraceback()


@dataclass
class Session:
    """Where one page is typed in."""

    page: str
    at: Path
    platform: Serving
    meaning: Meaning
    prompt: Prompt = field(default_factory=lambda: Prompt({"__name__": "__console__"}))

    def shell(self, command: str) -> tuple[int, list[str]]:
        """Exit code and printed lines."""
        state = self.at / ".pwd"
        done = subprocess.run(
            ["bash", "-c", f"trap 'pwd > \"{state}\"' EXIT\n{command}\n"],
            cwd=state.read_text().strip() if state.exists() else self.at,
            env={**self.platform.environment, **self._plain()}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            timeout=PATIENCE_SECONDS,
        )  # fmt: skip
        return done.returncode, [line.rstrip() for line in done.stdout.rstrip("\n").split("\n")] if done.stdout else []

    def _plain(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        return {"NO_COLOR": "1", "PATH": path, "HOME": str(self.at), "COLUMNS": "120"}

    def heard(self, shown: list[str], where: str) -> None:
        """Returns when `ventures serve` has said these lines."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.meaning.learn(["...", *shown, "..."], self.platform.said.splitlines()):
            assert time.monotonic() < deadline, f"{where}: it said\n{self.platform.said}"
            time.sleep(0.1)

    def set(self, settings: str) -> None:
        """Returns once `ventures serve` runs with these lines of NAME=value besides."""
        self.platform.stop()
        self.platform.environment.update(re.findall(r"^(\w+)=(.*)$", settings, re.MULTILINE))
        self.platform.start()
        self.platform.answers()

    def settled(self) -> None:
        """Returns when consumers and the index have caught up, as they have when a person comes to type the next
        command.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            measured = httpx2.get(f"{self.platform.url}/metrics", trust_env=False).text
            if not BEHIND.search(measured):
                return
            assert time.monotonic() < deadline, f"consumers or the index do not catch up:\n{measured}"
            time.sleep(0.1)


def type_in(session: Session, text: str) -> str:
    """Types a page's blocks in. → its text, with what was printed now. Raises: AssertionError with page and line."""
    rewritten: list[tuple[Block, str]] = []
    printed: list[str] = []
    for block in blocks(text):
        where = f"{session.page}:{text.count(chr(10), 0, block.start) + 1}"
        if block.needs is not None and shutil.which(block.needs) is None:
            warnings.warn(f"{where} was left out: there is no {block.needs} on this machine", stacklevel=2)
        elif block.file is not None:
            (session.at / block.file).write_text(session.meaning.there(block.text), encoding="utf-8")
        elif block.mark == "set":
            session.set(session.meaning.there(block.text))
        elif block.mark == "said":
            session.heard([line for line in block.text.splitlines() if not line.startswith("$ ")], where)
        elif block.mark == "prints":
            now = session.meaning.here("\n".join(printed))
            right = session.meaning.learn(block.text.rstrip("\n").split("\n"), printed)
            assert right or writing(block), f"{where}: the block before it printed\n{now}"
            rewritten += [] if right else [(block, f"{now}\n")]
        elif block.language == "python":
            printed = session.prompt.paste(session.meaning.there(block.text), where)
        else:
            now, right = run_console(session, block, where)
            assert right or writing(block), f"{where}: printed something else:\n{now}"
            rewritten += [] if right else [(block, now)]
    for block, now in reversed(rewritten):
        text = text[: block.start] + now + text[block.start + len(block.text) :]
    return text


def run_console(session: Session, block: Block, where: str) -> tuple[str, bool]:
    """→ the block with what is printed now, and whether that is what it shows."""
    session.settled()
    told, lines, right, code = list(block.commands()), "", True, 0
    assert told, f"{where}: a block without a command"
    for command, shown in told:
        code, printed = session.shell(session.meaning.there(command))
        right &= block.language != "console" or session.meaning.learn(shown, printed)
        lines += "".join(f"{session.meaning.here(line)}\n" for line in (f"$ {command}", *printed))
    assert code == block.exit_code, f"{where}: ended with {code}, not {block.exit_code}:\n{lines}"
    return lines, right


def writing(block: Block) -> bool:
    return os.environ.get("OUTGROW_GOLDEN") == "write" and "..." not in block.text


@pytest.fixture(scope="module")
def one_platform() -> Iterator[Serving]:
    """One for all pages; each of them signs its own people up."""
    with folder() as data, serving(data, VENTURES_WEBHOOK_NETWORKS="127.0.0.0/8") as serve:
        yield serve


@pytest.fixture(scope="module")
def began(one_platform: Serving) -> dict[str, str]:
    return dict(one_platform.environment)


@pytest.fixture
def platform(one_platform: Serving, began: dict[str, str]) -> Serving:
    """With the settings it began with, whatever the page before has set."""
    if one_platform.environment != began:
        one_platform.stop()
        one_platform.environment = dict(began)
        one_platform.start()
        one_platform.answers()
    return one_platform


@contextmanager
def network() -> Iterator[tuple[LocalMastodon, LocalLanguageModel]]:
    """What a page needs of the world: servers on loopback, in a thread of their own."""
    loop, ready, done = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    found: list[tuple[LocalMastodon, LocalLanguageModel]] = []

    async def run() -> None:
        async with mastodon() as server, language_model() as model:
            model.says = SAYS
            found.append((server, model))
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    ready.wait()
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()
        loop.close()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_is_typed_in_comes_out_as_shown(
    page: Path, platform: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = page.read_text(encoding="utf-8")
    if not blocks(text):
        pytest.skip("the page has no block to type in")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    key = tmp_path / "language-model-key"
    with network() as (server, model):
        key.write_text(model.key)
        meaning = Meaning(
            {
                DATA: str(platform.data),
                URL: platform.url,
                PEOPLE: f"@{page.stem.lower()}.example.org",
                MASTODON: server.url,
                TOKEN: server.token,
                MODEL: model.url,
                MODEL_KEY: str(key),
                **SOONER,
            }
        )
        now = type_in(Session(page.name, tmp_path, platform, meaning), text)
    if now != text:
        page.write_text(now, encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_mark_is_mistyped(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert len(re.findall(r"<!--", text)) == len(blocks(text)), "a mark without a block, or one that is not known"
    assert all(
        block.text.startswith("$ ") for block in blocks(text) if (block.mark, block.language) == ("typed", "console")
    )


ID = "01a20872-5f2f-7d9b-a9df-e2d8d0b0c9d1"
OTHER = "01a2087d-db3d-71ad-b914-f5089c7f27af"
REAL = "729144ef-2bba-5a7d-ac4a-d69a4733c1f6"


@pytest.mark.parametrize(
    ("shown", "printed", "right"),
    [
        (["a", "...", "b  c"], ["a", "x", "y", "b\tc"], True),
        (["a", "..."], ["b"], False),
        (["a ... c"], ["a b c"], True),
        ([f"{ID} made"], [f"{REAL} made"], True),
        ([f"{ID} made"], ["nothing made"], False),
        ([f"{ID} {ID}"], [f"{REAL} {REAL}"], True),
        (["at 2026-11-23T13:20:31.25+00:00"], ["at 2027-01-02T03:04:05.5+00:00"], True),
        (["at 2030-05-02T17:00:00+02:00"], ["at 2030-05-02T18:00:00+02:00"], False),
        ([f"at {URL}/x"], ["at http://127.0.0.1:5/x"], True),
        ([], ["said"], False),
    ],
)
def test_what_is_shown_is_compared_with_what_was_printed(shown: list[str], printed: list[str], right: bool) -> None:
    assert Meaning({URL: "http://127.0.0.1:5"}).learn(shown, printed) is right


def test_what_a_page_shows_once_stands_for_the_same_from_then_on() -> None:
    meaning = Meaning({})
    assert meaning.learn([f"made {ID}"], [f"made {REAL}"])
    assert meaning.there(f"$ ventures audit {ID}") == f"$ ventures audit {REAL}"
    assert meaning.here(f"head of {REAL}") == f"head of {ID}"
    assert meaning.learn([f"read {ID}"], [f"read {REAL}"])
    assert not meaning.learn([f"read {ID}"], [f"read {OTHER}"])


@pytest.mark.parametrize(
    ("pasted", "printed"), [("x = 1\nx + 1\n", ["2"]), ("for x in 'ab':\n    print(x)\n\n", ["a", "b"])]
)
def test_python_is_pasted_as_into_its_own_prompt(pasted: str, printed: list[str]) -> None:
    assert Prompt({}).paste(pasted, "page") == printed


def test_what_waits_for_ever_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "PATIENCE_SECONDS", 0.1)
    with pytest.raises(AssertionError, match="page: not done"):
        Prompt({}).paste("while True:\n    pass\n\n", "page")


@pytest.mark.parametrize("pasted", ["for x in 'ab':\n    print(x)\nprint(1)\n", "1 / 0\n", "print((1,\n"])
def test_what_a_prompt_would_refuse_is_found(pasted: str) -> None:
    with pytest.raises((SyntaxError, ZeroDivisionError, AssertionError)):
        Prompt({}).paste(pasted, "page")
