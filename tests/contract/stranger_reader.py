"""Checks of a copy of the project to which a stranger added a reader (test_strangers_changes.py)."""

import subprocess
import sys
from io import BytesIO
from pathlib import Path

from infra.docs.pages import PAGES
from tasks.core import code_digest
from tasks.core.steps.kinds import SOURCE_KINDS_IN_WORDS
from tasks.inquiry.quarantined_rows import KNOWN_RULES
from tasks.runs.requests import quick_checks
from tasks.sources import sources
from tasks.stages.data.validate import outcomes
from tests.scaffold.files import letters
from tests.stages.data.build import Run, messages, source

RULE = "not_a_pair"
ANSWERS = ("--owner", "data-owner", "--licence", "CC0-1.0", "--basis", "no personal data", "--purpose", "name topics")


def pairs(rows: list[dict[str, str]]) -> str:
    return "".join("|".join(f"{name}={value}" for name, value in row.items()) + "\n" for row in rows)


def check(root: Path, folder: Path) -> None:
    assert SOURCE_KINDS_IN_WORDS.endswith(" or pairs")
    assert f"`kind` is {SOURCE_KINDS_IN_WORDS}" in PAGES["reference/sources.md"]()
    assert f"| ingest | `{RULE}` | reader of pairs |" in PAGES["reference/rules.md"]()
    assert SOURCE_KINDS_IN_WORDS in PAGES["reference/cli.md"]()
    assert RULE in KNOWN_RULES
    reader = root / "tasks/stages/data/readers/formats/pairs_reader.py"
    assert reader in code_digest.stage_files(root, "ingest")
    check_stages(Run(folder))
    check_new(root, folder / "letters.txt")


def check_stages(run: Run) -> None:
    """The reader's rows become records, its malformed rows are counted by rule and known to `validate`."""
    data = (pairs(messages(40)) + "neither\n").encode()
    quick_checks.check_source(source("data.csv", "pairs"), lambda _: BytesIO(data))
    result = run.ingest(data, kind="pairs")
    assert (result.counts.records, result.counts.quarantined) == (40, {RULE: 1})
    assert result.sources[0].malformed == 1 and run.rules_of("ingest") == {41: RULE}
    written = (run.layout.artefacts("ingest") / "result.json").read_bytes()
    run.put_results(run.records_of("ingest"))
    (run.layout.artefacts("ingest") / "result.json").write_bytes(written)
    assert outcomes.outcome_frame(run.layout, None)[outcomes.OUTCOME_COLUMN].value_counts()[RULE] == 1


def check_new(root: Path, file: Path) -> None:
    """`hallmark new` recognises a file of the kind, whatever its name, and declares it."""
    file.write_text(pairs(letters(100)))
    command = [sys.executable, "-m", "infra.cli", "new", "garden", "--from", str(file), *ANSWERS]
    subprocess.run(command, cwd=root, check=True)
    (declared,) = sources.load_sources(root / "examples" / "garden" / "governance").sources
    assert (declared.kind, declared.mapping.prompt, declared.mapping.response) == ("pairs", "letter", "topic")


if __name__ == "__main__":
    check(Path.cwd(), Path(sys.argv[1]))
