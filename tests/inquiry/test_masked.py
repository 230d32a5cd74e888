"""Samples of what was masked: of the sources that a person may see, a few of each class, and nothing else."""

from pathlib import Path

import pyarrow as pa
import pytest

from tasks.core.errors import InputError
from tasks.core.files import write_json
from tasks.core.layout import EXPERIMENT_TIER
from tasks.core.records.record import RECORD_SCHEMA, write_table
from tasks.inquiry import masked_samples
from tasks.inquiry.access import Access
from tasks.policy.people import Person
from tasks.sources.resolved_sources import ResolvedSource, ResolvedSources
from tests.stages.data.build import TODAY, Run, record, source

OWNERS = {"tickets": "bob", "chats": "ada", "letters": "bob", "calls": "cleo"}
"""In the order of sources.yaml, which is not that of their names; Bob owns two."""
TEXTS = {
    "tickets": ["call [phone:abcdefghijkl] now", "I live at [address]", "[phone:bbbbbbbbbbbb]", "[phone:cccccccccccc]"],
    "chats": ["born [birth_date:1956], see [account]"],
    "letters": ["dear [name:dddddddddddd]", "nothing here, but [draft] and [x:y]"],
    "calls": [],
}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return sampled(tmp_path)


def sampled(root: Path) -> Run:
    made = Run(root)
    named = [source("x", id=name, owner=owner, steward=owner, access=["nobody"]) for name, owner in OWNERS.items()]
    pinned = [ResolvedSource(source=each, sha256="0" * 64, bytes=1) for each in named]
    resolved = ResolvedSources(sources=pinned, as_of=TODAY, vault="0" * 32)
    write_json(made.layout.sources_path, resolved.model_dump(mode="json"))
    texts = [(name, text) for name, those in TEXTS.items() for text in those]
    rows = [record(text, number=number, source_id=name) for number, (name, text) in enumerate(texts)]
    path = made.layout.artefacts("ingest") / "records.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(pa.Table.from_pylist(rows, schema=RECORD_SCHEMA), path)
    return made


def person(name: str) -> Person:
    return Person.model_validate({"id": name, "name": name, "roles": ["data_owner"]})


def found(run: Run, who: str) -> masked_samples.MaskedSamples:
    return masked_samples.find_samples(run.layout, run.access(person(who)))


def test_an_owner_sees_two_of_each_class_of_their_own_sources(run: Run) -> None:
    """`[draft]` and `[x:y]` are words of the source."""
    seen = [(each.source_id, each.category, each.record_id[-1]) for each in found(run, "bob").samples]
    assert seen == [
        ("letters", "name", "5"), ("tickets", "address", "1"), ("tickets", "phone", "0"), ("tickets", "phone", "2"),
    ]  # fmt: skip
    assert found(run, "bob").closed == ["chats", "calls"]


def test_of_an_experiment_nobody_sees_one_sources_alone(tmp_path: Path) -> None:
    experiment = sampled(tmp_path / ".hallmark" / "runs" / "r1")
    write_json(experiment.layout.authority_path, {"tier": EXPERIMENT_TIER})
    assert found(experiment, "bob") == masked_samples.MaskedSamples(samples=[], closed=[*OWNERS])


def test_each_placeholder_of_a_stretch_is_marked(run: Run) -> None:
    for sample in found(run, "ada").samples:
        assert [piece.text for piece in sample.pieces if piece.placeholder] == ["[birth_date:1956]", "[account]"]
        assert "".join(piece.text for piece in sample.pieces) == "born [birth_date:1956], see [account]"


def test_a_long_text_is_cut_around_it(run: Run) -> None:
    path = run.layout.artefacts("ingest") / "records.parquet"
    text = "a" * 300 + " [email:eeeeeeeeeeee] " + "b" * 300
    write_table(pa.Table.from_pylist([record(text, source_id="chats")], schema=RECORD_SCHEMA), path)
    (sample,) = found(run, "ada").samples
    shown = "".join(piece.text for piece in sample.pieces)
    assert shown.startswith("…aaa") and shown.endswith("bbb…") and "[email:eeeeeeeeeeee]" in shown and len(shown) < 200


def test_who_may_see_none_is_told_which_are_closed(run: Run) -> None:
    assert found(run, "eve") == masked_samples.MaskedSamples(samples=[], closed=list(OWNERS))


def test_a_run_without_records_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no records here"):
        masked_samples.find_samples(Run(tmp_path).layout, Access(person("ada"), frozenset(), {}))
