"""How much of a source changed, and when a trigger on sources answers to it."""

import random
from datetime import timedelta
from pathlib import Path

import pytest

from tasks.core.errors import InputError
from tasks.gates import signed_request
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.runs.git.repository import Repository
from tasks.runs.requests.commit_files import CommitFiles
from tasks.runs.requests.source_resolution import resolve_source
from tasks.runs.run_entries import RESOLVED_KIND
from tasks.scheduling import occasion_entries, sketch, source_changes, trigger_events
from tasks.scheduling.deployments_file import SourceChanged
from tasks.scheduling.occasion_log import OccasionLog
from tasks.sources.sources import Sources
from tests.governed.house import House
from tests.occasions.test_due import SINCE, signs
from tests.stages.data.build import source
from tests.tiny_project import git

KEY = b"k" * 16


def of(lines: list[str]) -> sketch.Sketch:
    return sketch.make_sketch(["\n".join(lines).encode()], KEY)


def test_the_share_that_changed_is_exact_for_thousands_of_lines() -> None:
    lines = [f"row {number}" for number in range(1000)]
    assert sketch.changed_fraction(of(lines), of(lines)) == 0
    assert sketch.changed_fraction(of(lines), of(lines[:-10] + [f"new {n}" for n in range(10)])) == pytest.approx(
        20 / 1010
    )
    assert sketch.changed_fraction(of(lines), of([f"other {line}" for line in lines])) == 1
    assert 0 < sketch.changed_fraction(of(lines), of(lines[::-1])) < 0.002, "another order is other bytes"
    assert sketch.changed_fraction(of([]), of(lines)) == 1 and sketch.changed_fraction(of(["", ""]), of([""])) > 0


def test_of_a_long_source_it_is_an_estimate() -> None:
    lines = [f"row {number}" for number in range(100_000)]
    share = sketch.changed_fraction(of(lines), of(lines[:90_000]))
    assert share == pytest.approx(0.1, abs=4 * 0.5 / sketch.MAX_HASHES**0.5)


def test_a_sketch_does_not_depend_on_how_the_content_comes_and_stays_small() -> None:
    data, cut = "\n".join(f"row {number}" for number in range(20_000)).encode(), random.Random(1)
    places = sorted(cut.randrange(len(data)) for _ in range(50))
    blocks = [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]
    assert sketch.make_sketch(blocks, KEY) == sketch.make_sketch([data], KEY)
    assert len(sketch.make_sketch([data], KEY).least) == sketch.MAX_HASHES
    assert sketch.make_sketch([data], b"other").least != sketch.make_sketch([data], KEY).least, (
        "no table of hashes finds a line"
    )


class Watch:
    """A trigger on the messages of a checkout, which are not committed, as a runner looks at it."""

    def __init__(self, root: Path, ledger: Ledger, **trigger: object) -> None:
        self.root, self.ledger = root, ledger
        git(root, "init", "-q")
        git(root, "commit", "-q", "--allow-empty", "-m", "start")
        self.trigger = SourceChanged.model_validate({"on": "source_changed", **trigger})
        self.file, self.since = root / "messages.csv", SINCE
        self.named = Sources(sources=[source("messages.csv", id="messages")])

    def write(self, *lines: str) -> None:
        self.file.write_text("\n".join(lines))

    def commit(self, *lines: str) -> None:
        self.write(*lines)
        git(self.root, "add", "--", ".", ":!.hallmark")
        git(self.root, "commit", "-qm", "messages")

    def head(self) -> CommitFiles:
        return CommitFiles.at_head(Repository.open(self.root))

    def look(self) -> source_changes.SourceChange | None:
        book = OccasionLog().update(self.ledger)
        return source_changes.find_source_change(
            "data", self.trigger, self.since, self.named, self.ledger, book, self.head()
        )

    def take(self, change: source_changes.SourceChange) -> str:
        occasion = trigger_events.make_occasion("data", self.trigger, change.id, change.words, contents=change.contents)
        entry = occasion_entries.record_occasion(self.ledger, OccasionLog(), occasion, "here", signs)
        assert entry is not None
        return entry.kind


ROWS = [f"row {number}" for number in range(100)]


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    watch = Watch(tmp_path, open_ledger(tmp_path / ".hallmark"), beyond=0.05)
    watch.write(*ROWS)
    assert watch.look() is None, "there is nothing to compare with at first"
    return watch


def test_only_a_change_beyond_the_threshold_is_one(watch: Watch) -> None:
    watch.write(*ROWS, "one more")
    assert watch.look() is None
    watch.write(*ROWS, *(f"new {number}" for number in range(10)))
    change = watch.look()
    assert change and change.words == "messages by 9.1% of its lines (more than 5%)"


def test_small_changes_add_up(watch: Watch) -> None:
    for count in (2, 4):
        watch.write(*ROWS, *(f"new {number}" for number in range(count)))
        assert watch.look() is None
    watch.write(*ROWS, *(f"new {number}" for number in range(6)))
    assert watch.look()


def test_a_change_is_answered_once_and_the_same_again_later_is_another(watch: Watch) -> None:
    first, keys = watch.look(), []
    for rows in (ROWS[:50], ROWS, ROWS[:50], ROWS):
        watch.write(*rows)
        change = watch.look()
        assert change and change == watch.look(), "it is found until it is taken"
        keys.append(change.id)
        watch.take(change)
        assert watch.look() is None is first
    assert len(set(keys)) == 4


def test_another_machine_with_the_same_ledger_finds_the_same_change(watch: Watch, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Watch(tmp_path / "other", watch.ledger, beyond=0.05)
    other.write(*ROWS)
    assert other.look() is None
    for each in (watch, other):
        each.write(*ROWS[:50])
    one, two = watch.look(), other.look()
    assert one and two and one.id == two.id
    watch.take(one)
    assert other.look() is None, "it was taken there"


def test_an_edit_asks_for_nothing_until_it_is_committed_and_then_for_one_run(watch: Watch) -> None:
    """A run reads the committed file: one that an edit asked for would read the old content, and the commit, whose
    content was answered already, would ask for none."""
    watch.commit(*ROWS)
    assert watch.look() is None
    watch.write(*ROWS[:50])
    assert watch.look() is None, "no run would read it"
    assert watch.head().describe_edited_files("params.yaml", watch.named.sources) == ["source messages (messages.csv)"]
    watch.commit(*ROWS[:50])
    change = watch.look()
    assert change and change.contents == {"messages": resolve_source(watch.named.sources[0], watch.root).sha256}
    watch.take(change)
    assert watch.look() is None and not watch.head().describe_edited_files("params.yaml", watch.named.sources)
    watch.file.unlink()
    assert watch.look() is None, "the commit still holds it"


def test_a_committed_link_leads_to_what_a_run_would_read(watch: Watch) -> None:
    (watch.root / "real.csv").write_text("\n".join(ROWS))
    watch.file.unlink()
    watch.file.symlink_to("real.csv")
    git(watch.root, "add", "--", ".", ":!.hallmark")
    git(watch.root, "commit", "-qm", "a link")
    assert watch.look() is None
    (watch.root / "real.csv").write_text("\n".join(ROWS[:50]))
    assert watch.look() is None
    assert watch.head().describe_edited_files("params.yaml", watch.named.sources) == ["source messages (messages.csv)"]
    git(watch.root, "commit", "-qam", "other rows")
    assert watch.look()


@pytest.mark.parametrize(
    ("runs", "asked"),
    [
        ([("new", {})], False),
        ([("new", {}), ("old", {})], True),
        ([("old", {}), ("new", {"use_case.risk_tier": "experiment"})], True),
    ],
)
def test_only_the_last_run_of_the_triggers_tier_stands_in_for_one(
    house: House, tmp_path: Path, runs: list[tuple[str, dict[str, str]]], asked: bool
) -> None:
    """A source that is as it was before the last run is other than what that run read; an experiment makes nothing that
    counts for a governed run."""
    root = tmp_path / "checkout"
    root.mkdir()
    watch = Watch(root, house.ledger)
    watch.write(*ROWS)
    assert watch.look() is None
    old = resolve_source(watch.named.sources[0], root).sha256
    watch.write(*ROWS[:50])
    read = {"old": old, "new": resolve_source(watch.named.sources[0], root).sha256}
    for number, (content, changes) in enumerate(runs):
        envelope = house.sign_request(f"run-{number}", changes=changes)
        signed_request.record_request(house.ledger, house.governance, envelope)
        house.ledger.append(RESOLVED_KIND, f"run-{number}", {"sources": {"messages": read[content]}})
    assert bool(watch.look()) is asked


def test_a_state_that_was_lost_begins_anew(watch: Watch) -> None:
    (watch.root / ".hallmark" / "occasions" / "data.json").write_text("{torn")
    watch.write(*ROWS[:50])
    assert watch.look() is None
    watch.write(*ROWS)
    assert watch.look()


def test_what_changed_while_it_rested_is_not_made_up_for(watch: Watch) -> None:
    watch.write(*ROWS[:50])
    assert watch.look()
    watch.since += timedelta(hours=1)
    assert watch.look() is None
    watch.write(*ROWS)
    assert watch.look()


def test_a_source_that_is_away_is_told(watch: Watch) -> None:
    watch.file.unlink()
    with pytest.raises(InputError, match=r"source messages: there is no messages\.csv"):
        watch.look()
    unknown = Watch(watch.root, watch.ledger, sources=["nix"])
    with pytest.raises(InputError, match=r"trigger data: sources\.yaml has no source nix; it has messages"):
        unknown.look()


def test_nothing_readable_of_a_source_is_kept(watch: Watch) -> None:
    kept = watch.root / ".hallmark" / "occasions" / "data.json"
    assert "row 7" not in kept.read_text() and kept.stat().st_mode & 0o077 == 0


def test_a_terabyte_that_is_a_hole_is_told_and_not_read(watch: Watch) -> None:
    with watch.file.open("wb") as file:
        file.truncate(15 << 40)
    with pytest.raises(InputError, match=r"source messages: messages.csv has more than 64 GiB"):
        watch.look()
    watch.write(*ROWS)
    assert watch.look() is None
