"""The folder of records: what is read of it, what is written to it, and what hands and accidents do to it."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outgrow.decision_folder import HEAD_BYTES, DecisionFolder, FolderRefused, decision_folder, read_heads, shown_path
from outgrow.decisions.records import ReopenWhen

RECORD = """\
---
status: accepted
date: 2026-03-01
decision-makers: [Ana]
consulted: []
informed: []
outgrow:
  point: search
  verdict: stay
  option: A
  digest: "abc"
  evidence: []
  firing-then: [slow]
  reopen-when:
  - {trigger: slow, signal: p95, above: 5}
  - {fact: together, becomes: yes}
---

# 0003 Search: stay, with Partition (A)

status: this line is a person's, and so is the next
  superseded-by: nobody
"""
BY_HAND = "---\nstatus: accepted\ndate: 2026-01-01\n---\n\n# We write tests\n"


def put(folder: Path, name: str, text: str = RECORD) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(text.encode())
    return folder / name


def only_head(folder: Path):
    found = read_heads(folder)
    assert found.warnings == ()
    (head,) = found.heads
    return head


def test_a_missing_folder_holds_nothing(tmp_path: Path) -> None:
    assert read_heads(tmp_path / "none").heads == ()
    assert DecisionFolder(tmp_path / "none").numbers() == frozenset()


def test_a_head_is_read_from_the_front_matter(tmp_path: Path) -> None:
    put(tmp_path, "0003-search.md")
    head = only_head(tmp_path)
    assert (head.number, head.file, head.title) == (3, "0003-search.md", "0003 Search: stay, with Partition (A)")
    assert (head.point, head.verdict, head.option, head.digest) == ("search", "stay", "A", "abc")
    assert (head.made_on, head.status, head.superseded_by) == ("2026-03-01", "accepted", None)
    assert head.reopen_when == (ReopenWhen(trigger="slow"), ReopenWhen(fact="together", becomes=True))
    assert head.firing_then == ("slow",)


def test_files_by_hand_are_counted_and_left_alone(tmp_path: Path) -> None:
    put(tmp_path, "0001-tests.md", BY_HAND)
    put(tmp_path, "0012-no-front-matter.md", "# Nothing\n\noutgrow: is a word\n")
    put(tmp_path, "notes.md", "outgrow: x")
    put(tmp_path, ".0099-half.md.x.tmp", RECORD)
    (tmp_path / "0050-folder.md").mkdir()
    assert read_heads(tmp_path).heads == ()
    assert read_heads(tmp_path).warnings == ()
    folder = DecisionFolder(tmp_path)
    assert folder.numbers() == {1, 12}
    folder.write("0013-search.md", RECORD)
    assert (tmp_path / "0001-tests.md").read_text() == BY_HAND
    assert only_head(tmp_path).number == 13


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_with_the_name_of_a_record_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "0001-pipe.md")
    assert read_heads(tmp_path).heads == ()


BROKEN = {
    "half-written": (RECORD[: RECORD.index("  reopen-when")], "front matter does not end"),
    "no YAML": (RECORD.replace("option: A", "option: [A"), "not YAML, line"),
    "a list": (RECORD.replace("outgrow:", "outgrow: []\nx:"), "outgrow: is no mapping"),
    "no point": (RECORD.replace("  point: search\n", ""), "outgrow.point is missing"),
    "a point that is a list": (RECORD.replace("point: search", "point: [a]"), "outgrow.point is missing"),
    "other verdict": (RECORD.replace("verdict: stay", "verdict: perhaps"), "outgrow.verdict is 'perhaps'"),
    "no date": (RECORD.replace("2026-03-01", "2026-02-31"), "its date is '2026-02-31'"),
    "other condition": (RECORD.replace("becomes: yes", "becomes: maybe"), "neither {trigger} nor {fact, becomes}"),
    "conditions that are a text": (re.sub(r"reopen-when:\n(  - .*\n)+", "reopen-when: x\n", RECORD), "is no list"),
    "depth": (RECORD.replace("option: A", "option: " + "[" * 5000 + "]" * 5000), "nested too deeply"),
    "deep list": (RECORD.replace("option: A", "option:\n    " + "- " * 5000 + "x"), "nested too deeply"),
    "an alias to nothing": (RECORD.replace("option: A", "option: *A"), "front matter is not YAML"),
    "a tab": (RECORD.replace("  option: A", "\toption: A"), "front matter is not YAML"),
    "endless": (RECORD.replace("verdict: stay", "verdict: stay # " + "x" * HEAD_BYTES), "does not end"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_a_warning_with_its_name(tmp_path: Path, kind: str) -> None:
    text, said = BROKEN[kind]
    put(tmp_path, "0001-good.md", RECORD)
    put(tmp_path, "0002-broken.md", text)
    found = read_heads(tmp_path)
    assert [head.number for head in found.heads] == [1]
    (warning,) = found.warnings
    assert warning.startswith("0002-broken.md: ")
    assert said in warning
    assert DecisionFolder(tmp_path).numbers() == {1, 2}


@given(st.binary(max_size=300), st.integers(0, len(RECORD)), st.integers(0, len(RECORD)))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_content_crashes_the_reader(tmp_path: Path, noise: bytes, start: int, end: int) -> None:
    raw = RECORD.encode()
    (tmp_path / "0001-x.md").write_bytes(raw[:start] + noise + raw[end:])
    found = read_heads(tmp_path)
    assert len(found.heads) + len(found.warnings) <= 2


def test_bytes_that_are_no_text_are_a_warning(tmp_path: Path) -> None:
    (tmp_path / "0001-x.md").write_bytes(RECORD.encode().replace(b"Ana", b"\xff\xfe"))
    assert read_heads(tmp_path).warnings == ("0001-x.md: is not UTF-8 text; it is left out",)


@pytest.mark.parametrize(
    ("written", "status"),
    [
        ("Accepted", "accepted"),
        ('"superseded by [ADR-0005](0005-x.md)"', "superseded"),
        ("superseded by ADR-0123", "superseded"),
        ("done", "done"),
        ("rejected", "rejected"),
    ],
)
def test_status_as_people_write_it(tmp_path: Path, written: str, status: str) -> None:
    put(tmp_path, "0001-x.md", RECORD.replace("status: accepted", f"status: {written}", 1))
    assert only_head(tmp_path).status == status


def test_an_unknown_status_is_no_decision_yet(tmp_path: Path) -> None:
    put(tmp_path, "0001-x.md", RECORD.replace("status: accepted", "status: draft", 1))
    found = read_heads(tmp_path)
    assert found.heads[0].status == "proposed"
    assert found.warnings[0].startswith("0001-x.md: its status is 'draft', taken as proposed")


def test_a_number_that_stands_twice_is_said(tmp_path: Path) -> None:
    put(tmp_path, "0001-x.md")
    put(tmp_path, "0001-y.md")
    assert read_heads(tmp_path).warnings == ("number 0001 stands on 2 records",)


HAND_EDITS = {
    "as written": RECORD,
    "Windows line ends": RECORD.replace("\n", "\r\n"),
    "byte order mark": "\ufeff" + RECORD,
    "comments and another order": RECORD.replace(
        "status: accepted\ndate: 2026-03-01\n",
        "# ours\ndate: 2026-03-01 # spring\nstatus:   accepted\nour-key: {a: [1]}\n",
    ),
    "deeper indent": re.sub(r"^  (?!superseded)", "      ", RECORD, flags=re.MULTILINE),
    "marked before": RECORD.replace("  point: search", "  point: search\n  superseded-by: 2", 1),
    "no line end at the end": RECORD.rstrip("\n"),
    "a rule below": RECORD + "\n---\nstatus: x\n---\n",
}  # fmt: skip


@pytest.mark.parametrize("kind", HAND_EDITS)
def test_superseding_changes_two_values_and_nothing_else(tmp_path: Path, kind: str) -> None:
    path = put(tmp_path, "0003-search.md", HAND_EDITS[kind])
    os.chmod(path, 0o640)
    folder = DecisionFolder(tmp_path)
    assert folder.mark_superseded(only_head(tmp_path), 9) == ""
    head = only_head(tmp_path)
    assert (head.status, head.superseded_by) == ("superseded", 9)
    before = HAND_EDITS[kind].splitlines(keepends=True)
    after = path.read_bytes().decode().splitlines(keepends=True)
    kept = [line for line in after if line in before]
    changed = [line.strip() for line in after if line not in before]
    assert changed == ["status: superseded by ADR-0009", "superseded-by: 9"] or kind == "marked before"
    lost = [line.strip() for line in before if line not in after]
    assert [line for line in lost if not line.startswith("superseded-by")] in (
        ["status: accepted"],
        ["status:   accepted"],
    )
    assert len(kept) >= len(before) - 2
    assert path.stat().st_mode & 0o777 == 0o640
    once = path.read_bytes()
    assert folder.mark_superseded(head, 9) == ""
    assert path.read_bytes() == once
    assert os.listdir(tmp_path) == ["0003-search.md"]


def test_what_cannot_be_changed_safely_is_left_to_people(tmp_path: Path) -> None:
    flow = re.sub(
        r"outgrow:\n(.*)\n---\n\n",
        "outgrow: {point: search, verdict: stay, option: A, digest: abc, reopen-when: []}\n---\n\n",
        RECORD,
        flags=re.DOTALL,
    )
    path = put(tmp_path, "0003-search.md", flow)
    head = only_head(tmp_path)
    said = DecisionFolder(tmp_path).mark_superseded(head, 9)
    assert said == (
        "0003-search.md was edited so that its status cannot be changed safely; write status: superseded by ADR-0009 "
        "there by hand"
    )
    assert path.read_text() == flow
    folded = RECORD.replace("status: accepted", "status: >\n  accepted", 1)
    path.write_text(folded)
    assert "cannot be changed safely" in DecisionFolder(tmp_path).mark_superseded(head, 9)
    assert path.read_text() == folded
    path.unlink()
    assert "cannot be written: No such file" in DecisionFolder(tmp_path).mark_superseded(head, 9)


def test_a_record_is_never_written_over(tmp_path: Path) -> None:
    put(tmp_path, "0001-x.md", "mine")
    with pytest.raises(FolderRefused, match="there is a file of that name; nothing was written"):
        DecisionFolder(tmp_path).write("0001-x.md", RECORD)
    assert (tmp_path / "0001-x.md").read_text() == "mine"
    (tmp_path / "0002-x.md").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FolderRefused):
        DecisionFolder(tmp_path).write("0002-x.md", RECORD)
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_cannot_be_written_is_said_with_what_to_do(tmp_path: Path) -> None:
    put(tmp_path, "file", "x")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        folder = DecisionFolder(place)
        with pytest.raises(FolderRefused) as refused:
            folder.write("0001-x.md", RECORD)
        assert refused.value.exit_code == 3
        assert "make the folder writable" in refused.value.next_step
    assert "cannot be read" in read_heads(tmp_path / "file").warnings[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_stays_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(FolderRefused, match="Permission denied"):
        DecisionFolder(tmp_path).write("0001-x.md", RECORD)
    assert os.listdir(tmp_path) == []


def test_a_reader_sees_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    put(tmp_path, "0003-search.md")
    head = only_head(tmp_path)
    seen: list[tuple[int, int]] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            found = read_heads(tmp_path)
            seen.append((len(found.heads), len(found.warnings)))

    reader = threading.Thread(target=look)
    reader.start()
    for by in range(4, 60):
        assert DecisionFolder(tmp_path).mark_superseded(head, by) == ""
    stop.set()
    reader.join()
    assert set(seen) == {(1, 0)}


def test_the_folder_lies_beside_the_declared_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    there = decision_folder(Path("outgrow.yaml"), "docs/decisions")
    assert there == tmp_path.resolve() / "docs" / "decisions"
    assert shown_path(there / "0001-x.md") == "docs/decisions/0001-x.md"
    assert shown_path(Path("/elsewhere/0001-x.md")) == "/elsewhere/0001-x.md"
