"""The generator of the sample use case: its bytes, its variety, and the truth that it tells about its defects."""

import csv
import io
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from examples.support_triage import cases, grammar
from examples.support_triage.defects import Planted
from examples.support_triage.generate import PHRASES, generate, truth_table
from tasks import params
from tasks.data import clean, deduplicate, ingest
from tasks.govern import sources
from tasks.layout import Layout
from tasks.record import read_table
from tests.data.build import Run, prompt_key

ROOT = Path(__file__).parents[2]
DATA = ROOT / "examples/support_triage/data"
RULES = {
    "cut_off": {"field_count", "not_json"},
    "empty_prompt": {"empty_prompt"},
    "no_target": {"missing_target"},
    "duplicate": {"exact_duplicate"},
    "near_duplicate": {"near_duplicate"},
    "conflict": {"conflict"},
    "superseded": {"superseded"},
}
"""The rules of quarantine that each planted defect must meet."""


def test_committed_files_are_what_the_command_writes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "examples.support_triage.generate", "--seed", "7", "--out", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True)
    made, committed = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in (tmp_path, DATA))
    assert made == committed
    assert sum(map(len, committed.values())) < 700_000


def test_another_seed_gives_unseen_records() -> None:
    words = [prompts(generate(seed).files["tickets.csv"]) for seed in (7, 8)]
    assert len(words[0] & words[1]) < 0.02 * len(words[0])


def prompts(tickets: bytes) -> set[str]:
    return {" ".join(row["message"].split()) for row in csv.DictReader(io.StringIO(tickets.decode())) if row["message"]}


@pytest.mark.parametrize("language", cases.LANGUAGES)
def test_every_line_of_phrases_can_be_said(language: str) -> None:
    spoken = grammar.load(PHRASES / f"{language}.yaml")
    blocks = [spoken.rules, spoken.personal, spoken.twists, *spoken.intents.values()]
    for line in (line for block in blocks for lines in block.values() for line in lines):
        said = [spoken.say(Random(seed), line) for seed in range(5)]
        assert not any(set("[]{}|") & set(text) for text in said), line


@pytest.mark.parametrize("language", cases.LANGUAGES)
def test_every_twist_of_every_intent_has_phrases(language: str) -> None:
    spoken, catalogue = grammar.load(PHRASES / f"{language}.yaml"), cases.load(PHRASES / "catalogue.yaml")
    assert set(spoken.intents) == {intent.name for intent in catalogue.intents}
    for intent in catalogue.intents:
        own = spoken.intents[intent.name]
        assert "clear" in own
        assert set(intent.twists) <= set(own) | set(spoken.twists), intent.name
        assert set(own) <= set(intent.twists), f"{intent.name}: phrases that are never drawn"


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """The committed sources after the real stages `ingest`, `clean` and `deduplicate`."""
    return through_the_stages(tmp_path_factory.mktemp("run"), DATA)


def through_the_stages(root: Path, data: Path) -> Layout:
    """The sample's sources, from a folder, after the real stages `ingest`, `clean` and `deduplicate`."""
    layout = Layout(root)
    (root / "examples/support_triage").mkdir(parents=True)
    (root / "examples/support_triage/data").symlink_to(data)
    Run(root).resolve_inventory(sources.load(ROOT / "infra/governance"))
    for stage in (ingest, clean, deduplicate):
        stage.run(params.load(ROOT / "params.yaml"), layout)
    return layout


def removed_by(layout: Layout) -> dict[tuple[str, int], tuple[str, int | None]]:
    """Rule and row of the winner, by source and row."""
    place = {r["record_id"]: r["row"] for r in read_table(layout.stage("ingest") / "rows.parquet").to_pylist()}
    return {
        (entry["source_id"], entry["row"]): (entry["rule"], place.get(entry["winner"]))
        for stage in ("ingest", "clean", "deduplicate")
        for entry in read_table(layout.stage(stage) / "quarantine.parquet").to_pylist()
    }


Removed = dict[tuple[str, int], tuple[str, int | None]]
"""By source and row, the rule and the row that was kept instead."""


def accounted(removed: Removed, truth: list[Planted]) -> Removed:
    """What was removed beside what was planted; fails where something planted was not, or by another rule.

    Protection comes first: a word mistyped in one of two near-identical texts may be taken for a name. Its token makes
    that text the longer one, which is kept, and a short text may no longer be near the other at all.
    """
    left, missed = dict(removed), []
    for planted in truth:
        place, kept = (planted.source_id, planted.row), planted.original
        if planted.defect == "near_duplicate" and place not in left and kept is not None:
            place, kept = (planted.source_id, kept), planted.row
        if planted.defect == "near_duplicate" and place not in left:
            missed.append(planted)
            continue
        rule, winner = left.pop(place)
        assert rule in RULES[planted.defect] and winner == kept, planted
    assert len(missed) <= 0.1 * sum(planted.defect == "near_duplicate" for planted in truth), missed
    return left


def only_like_texts(left: Removed, truth: list[Planted]) -> bool:
    """The phrases themselves bring forth some messages that are near-identical, but for whom they are about."""
    return {rule for rule, _ in left.values()} <= {"near_duplicate", "exact_duplicate"} and len(left) < 0.1 * len(truth)


def test_stages_find_what_was_planted_in_records_never_seen(tmp_path: Path) -> None:
    made = generate(8)
    (tmp_path / "data").mkdir()
    for name, content in made.files.items():
        (tmp_path / "data" / name).write_bytes(content)
    removed = removed_by(through_the_stages(tmp_path / "run", tmp_path / "data"))
    assert only_like_texts(accounted(removed, made.truth), made.truth)


def test_stages_take_out_what_was_planted(cleaned: Layout) -> None:
    rows = csv.DictReader((DATA / "truth.csv").read_text(encoding="utf-8").splitlines())
    truth = [
        Planted(row["source_id"], int(row["row"]), row["defect"], int(row["original"]) if row["original"] else None)
        for row in rows
    ]
    assert only_like_texts(accounted(removed_by(cleaned), truth), truth)
    assert {planted.defect for planted in truth} == set(RULES)


def test_what_remains_is_enough_and_varied(cleaned: Layout) -> None:
    records = read_table(cleaned.stage("deduplicate") / "records.parquet").to_pylist()
    assert len(records) >= 1500
    assert len(set(map(prompt_key, records))) == len(records)
    assert {record["origin"] for record in records} == {"synthetic"}
    for field, fewest in (("language", 500), ("kind", 120), ("department", 100), ("source_id", 400)):
        counts = Counter(record[field] for record in records)
        assert min(counts.values()) >= fewest, counts
    assert {record["messages"][-1]["content"][:10] for record in records} == {'{"intent":'}
    intents = Counter(record["messages"][-1]["content"].split('"')[3] for record in records)
    assert 20 <= len(intents) <= 30
    assert min(intents.values()) >= 50
    assert max(len(record["messages"]) for record in records) == 4


def test_truth_is_a_table_even_where_nothing_was_planted() -> None:
    assert truth_table([]) == b"source_id,row,defect,original\n"
