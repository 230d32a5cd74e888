"""Reviews of a run in a house: its answers, people who compare them, and their labels."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
from ruamel.yaml import YAML

from tasks.core.files import write_bytes
from tasks.core.graph import EVIDENCE_STAGES, STAGES
from tasks.core.layout import Layout
from tasks.core.records.record import RECORD_SCHEMA, write_table
from tasks.inquiry import access
from tasks.labels import handout, participants, round_files, submission
from tasks.labels.forms.table import FORMS
from tasks.labels.round_files import RoundFiles
from tasks.policy import governance
from tasks.review import start
from tasks.review.start import ReviewOrder, StartedReview
from tasks.stages.evaluate import judged_rows
from tasks.stages.evaluate.judged_rows import JudgedAnswer, JudgedRow
from tasks.stages.evaluate.suites import case_verdicts
from tests.labels.rounds import read_lines, write_lines
from tests.recorded import record as record_stages
from tests.registry.house import PEOPLE, SOURCE, House
from tests.stages.data.build import record

LEAD, ANNOTATORS = "zoe", ("ben", "ada")
REVIEWERS = PEOPLE.replace("roles: [requester]", "roles: [requester, data-owner]") + "".join(
    f"  - {{id: {who}, name: Reviewer {who}, roles: [data-owner]}}\n" for who in (LEAD, *ANNOTATORS)
)
CHECKS = """\
        checks:
          - {name: experts looked, fact: review.pairs, at_least: 10}
          - {name: experts prefer it, fact: review.preference, at_least: 0.4}
"""
ANSWERS = {
    "wins": ("good {n}", "bad {n}"), "loses": ("bad {n}", "good {n}"), "same": ("good {n}", "good {n} "),
    "ties": ("good first {n}", "good second {n}"), "neither": ("bad first {n}", "bad second {n}"),
}  # fmt: skip
"""Answers of candidate and champion by what an expert says of them. A good one says so."""
ROWS = [*["wins"] * 4, *["loses"] * 2, *["ties"] * 2, *["same"] * 2, *["neither"] * 2]


def invite(house: House, checks: str = CHECKS) -> House:
    """Let reviewers into the house, and let its evaluation gate ask for a review."""
    house.propose(lambda _: REVIEWERS, "people.yaml")
    governance.create_vault_and_keys(house.state, house.governance.people)
    house.adopt(lambda _: REVIEWERS, "people.yaml")
    old = "        checks: [{name: good enough, fact: evaluate.exact_match, bound: low, at_least: 0.7}]\n"
    house.adopt(lambda text: text.replace(old, checks))
    with (house.governance.folder / "sources.yaml").open("w") as file:
        YAML().dump({"sources": [SOURCE["source"]]}, file)
    return house


def put_answers(house: House, layout: Layout, rows: list[str] = ROWS) -> None:
    """Write answers to test rows and cases as stages `split`, `evaluate` and `suites` do, with their signed records."""
    records = [
        record(f"message {n}", "good", n, source_id="tickets", language="en" if n % 3 else "de")
        for n, _ in enumerate(rows)
    ]
    split = layout.artefacts("split")
    write_table(pa.Table.from_pylist(records, schema=RECORD_SCHEMA), split / "test.parquet")
    examples = [_judged(row, *ANSWERS[kind], n) for n, (kind, row) in enumerate(zip(rows, records, strict=True))]
    write_table(judged_rows.to_table(examples), layout.artefacts("evaluate") / "examples.parquet")
    cases = [
        _case(f"{records[0]['record_id']}.slip", "good slip", "bad slip", "passed", "failed"),
        _case("listed", "good case", "bad case", "error", "passed"),
    ]
    schema = case_verdicts.to_table([]).schema
    write_table(pa.Table.from_pylist(cases, schema=schema), layout.artefacts("suites") / "cases.parquet")
    stages = (*EVIDENCE_STAGES["data"], *EVIDENCE_STAGES["evaluation"])
    names = [name for stage in stages for name in STAGES[stage].dvc_names]
    record_stages(layout, house.ledger, house.state / "keys" / "worker", names)


def _judged(row: dict[str, Any], candidate: str, champion: str, number: int) -> JudgedRow:
    said = {
        which: JudgedAnswer(text.format(n=number), text.startswith("good"), True, "label", "")
        for which, text in (("candidate", candidate), ("champion", champion))
    }
    slices = {"department": "", "language": row["language"], "kind": row["kind"], "source": "tickets"}
    return JudgedRow(row["record_id"], slices, f"message {number}", "good", "label", said)


def _case(name: str, candidate: str, champion: str, *statuses: str) -> dict[str, Any]:
    plain = {"suite": "slips", "case": name, "severity": "high", "prompt": f"case {name}", "expected": "good"}
    answers = {"candidate_answer": candidate, "champion_answer": champion}
    return plain | answers | dict(zip(("candidate_status", "champion_status"), statuses, strict=True))


def begin(house: House, name: str, layout: Layout, lead: str = LEAD, **order: Any) -> StartedReview:
    """Start a review. Its annotators are those of this module unless `order` says otherwise."""
    looker = access.access_of_person(house.governance, house.governance.require_actor(lead))
    asked = ReviewOrder(**{"id": name, "run": layout, "annotators": ANNOTATORS, **order})
    return start.start_review(house.state, house.ledger, house.governance, looker, asked)


def read(house: House, name: str) -> RoundFiles:
    return round_files.read_round(house.state, house.ledger, name)


def task_rows(files: RoundFiles, who: str, place: Path) -> list[dict[str, Any]]:
    """Return the rows of an annotator's task file, written to `place`."""
    task = handout.annotator_task(files, participants.require_annotator(files.round, who))
    write_bytes(place, FORMS["jsonl"].write(task))
    return read_lines(place)


def prefer_good(row: dict[str, Any]) -> str:
    """Label a pair by which answers say that they are good."""
    first, second = (f"{label} | good" in row["text"] for label in ("A", "B"))
    return {(True, False): "A", (False, True): "B", (True, True): "both"}.get((first, second), "neither")


def label(
    house: House, name: str, folder: Path, how: Callable[[dict[str, Any]], str] = prefer_good, note: str = "",
    people: Iterable[str] = ANNOTATORS,
) -> RoundFiles:  # fmt: skip
    """Let each annotator label all of their pairs."""
    files = read(house, name)
    for who in people:
        path = folder / f"{name}-{who}.jsonl"
        rows = task_rows(files, who, path)
        write_lines(path, [row | {"label": how(row), "note": note} for row in rows])
        submission.import_labels(files, participants.require_annotator(files.round, who), path)
    return files
