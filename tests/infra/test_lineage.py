"""`hallmark data records` and `data find` say what the signed manifest says, whatever order sources.yaml has."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tasks.core import code_digest
from tasks.core.files import read_json, tree_digest, write_json
from tasks.core.layout import Layout
from tasks.core.payload import manifest
from tasks.inquiry.access_entries import PERSON_SOUGHT
from tasks.inquiry.lineage import indexing
from tasks.ledger.ledger import open_ledger
from tasks.registry.release import bundle
from tasks.runs.journal import Journal, write_journal
from tasks.runs.run import installed_governance
from tasks.sources.dataset import PARTITIONS
from tests.checkouts import Checkouts
from tests.copies import copy_tree
from tests.in_process import hallmark, hallmark_json, run_command
from tests.infra.promoted import promote
from tests.stages.data.build import stages
from tests.tiny_project import SOURCES, commit, create, git, messages

SIZES = {"messages": 60, "letters": 21, "calls": 36}
"""In the order of sources.yaml, which is not the sorted one."""
OWNERS = {"messages": "data-owner", "letters": "risk-officer", "calls": "product-owner"}
RELEASE = "tiny-1"


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    """A release of a run whose dataset has three sources, each of another owner."""
    folder = checkouts.made(tmp_path_factory.mktemp("once") / "project")
    governance = folder / "infra" / "governance"
    head, one = SOURCES.strip().split("  - id: messages\n")
    one = one.replace("    suite: expectations/messages.yaml\n", "").replace("CC0-1.0", "licence of messages")
    for name, rows in SIZES.items():
        text = messages(rows).replace("I cannot", f"In {name} I cannot").replace("What", f"In {name} what")
        (folder / "examples" / f"{name}.csv").write_text(text.replace("Please", f"In {name} please"))
    entries = [
        f"  - id: {name}\n" + one.replace("messages", name).replace("owner: data-owner", f"owner: {OWNERS[name]}")
        for name in SIZES
    ]
    (governance / "sources.yaml").write_text("\n".join([head.strip(), *entries]))
    people = (governance / "people.yaml").read_text()
    for role in ("product_owner", "risk_officer"):
        people = people.replace(f"roles: [{role}]}}", f"roles: [{role}, data_owner]}}", 1)
    (governance / "people.yaml").write_text(people)
    commit(folder, "Three sources")
    hallmark(folder, "init")
    run = create(folder, "one")
    for stage in stages().values():
        stage.run(run.params, run.layout)
    indexing.add_dataset(run.layout, "tiny")
    release(folder, run.layout)
    return folder


def release(folder: Path, layout: Layout) -> None:
    """What is known of a release: the signed statement, and its manifest."""
    governed, ledger = installed_governance(folder, None), open_ledger(folder / ".hallmark")
    promote(ledger, governed, run="one", commit=git(layout.root, "rev-parse", "HEAD"))
    told = manifest.Manifest(
        name="tiny", tier="limited", demo=False, method="lora", base_model_origin="m", base_model_licence="MIT",
        base_model_sha256="0" * 64, stages={"split": tree_digest(layout.artefacts("split"))},
        **manifest.build_input_fields(layout, code_digest.all_stages_digest(layout.root)),
    )  # fmt: skip
    path = bundle.release_folder(governed.state, RELEASE) / bundle.PAYLOAD / "manifest.json"
    write_json(path, told.model_dump(mode="json"))


@pytest.fixture
def project(once: Path, tmp_path: Path) -> Path:
    return copy_tree(once, tmp_path / "project")


def signed(project: Path) -> dict[str, Any]:
    """What the owners signed of each source."""
    path = Layout(project / ".hallmark" / "runs" / "one").artefacts("split") / "manifest.json"
    found: dict[str, Any] = read_json(path)["sources"]
    assert {name: origin["owner"] for name, origin in found.items()} == OWNERS
    assert len({tuple(origin["rows"].values()) for origin in found.values()}) == len(SIZES)
    return found


def test_the_records_of_a_release_are_those_of_the_signed_manifest(project: Path) -> None:
    counted = Counter((row["source"], row["side"]) for row in hallmark_json(project, "data", "records", RELEASE))
    origins = signed(project)
    assert counted == {(name, side): origins[name]["rows"][side] for name in origins for side in PARTITIONS}
    for row in hallmark_json(project, "data", "records", RELEASE):
        assert (row["owner"], row["licence"]) == (OWNERS[row["source"]], f"licence of {row['source']}")


def test_the_table_of_records_says_the_same(project: Path) -> None:
    told = {line.split()[0]: line.split()[1:4] for line in hallmark(project, "data", "records", RELEASE).splitlines()}
    for name, origin in signed(project).items():
        assert told[name] == [str(origin["rows"]["train"]), str(origin["rows"]["test"]), OWNERS[name]]


def test_where_a_record_is_names_the_source_it_came_from(project: Path) -> None:
    for row in hallmark_json(project, "data", "records", RELEASE)[:: sum(SIZES.values()) // 8]:
        (found,) = hallmark_json(project, "data", "find", "--record", row["record"])
        assert (found["source_id"], found["row"], found["side"]) == (row["source"], row["row"], row["side"])
        assert found["row"] <= SIZES[found["source_id"]]
        assert found in hallmark_json(project, "data", "find", "--record", row["record"][:8])
    assert "at least 8 hex digits" in hallmark(project, "data", "find", "--record", "0123456", code=2)


def test_runs_that_the_index_does_not_have_yet_are_named(project: Path) -> None:
    run = create(project, "two")
    asked = ("data", "find", "--subject", "Ada Lovelace", "--reason", "she asked", "--as", "risk-officer")
    assert "two" not in hallmark(project, *asked)
    write_journal(project / ".hallmark", Journal(run="two", requested_by="ml-engineer"))
    assert "two" not in hallmark(project, *asked), "it has read nothing"
    stages()["ingest"].run(run.params, run.layout)
    assert "not looked in, since a dataset is indexed when its data gate passes: two." in hallmark(project, *asked)


def test_the_manifest_is_of_the_newest_run_unless_one_is_named(project: Path) -> None:
    write_journal(project / ".hallmark", Journal(run="one", requested_by="ml-engineer"))
    shown = hallmark_json(project, "data", "manifest")
    assert shown == hallmark_json(project, "data", "manifest", "one") and set(shown["dataset"]["sources"]) == set(SIZES)


@pytest.mark.parametrize("asked", [("records", RELEASE), ("where", "--record", "0" * 16)])
def test_an_index_of_before_is_refused_in_words(project: Path, asked: tuple[str, ...]) -> None:
    (project / ".hallmark" / "lineage").mkdir()
    assert "an earlier version of Hallmark wrote this index" in hallmark(project, "data", *asked, code=3)


def test_a_person_is_looked_up_by_somebody_for_a_reason(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HALLMARK_IDENTITY", raising=False)
    asked = ("data", "find", "--subject", "Ada Lovelace")
    assert "who are you?" in hallmark(project, *asked, "--reason", "r", code=2)
    assert "say in words why" in hallmark(project, *asked, "--as", "risk-officer", code=2)
    told = hallmark(project, *asked, "--reason", "r", "--as", "colleague", code=1)
    assert "may look at records of no source here" in told
    ledger = open_ledger(project / ".hallmark")
    assert ledger.entries(PERSON_SOUGHT) == []
    done = run_command(project, (*asked, "--reason", "she asked", "--as", "risk-officer", "--json"))
    found = json.loads(done.stdout)
    assert {row["source_id"] for row in found} == set(SIZES) and done.stderr == ""  # role data_owner opens all three
    assert len(found) == sum(rows // 3 for rows in SIZES.values()) and found[0]["releases"] == [RELEASE]
    (entry,) = ledger.entries(PERSON_SOUGHT)
    assert entry.body["person"] == "risk-officer" and "Lovelace" not in json.dumps(entry.body)
