"""Nothing that is said of a source depends on where sources.yaml lists it: every order of them, by a property.

Each source has a name, an owner and a number of records of its own, and each text says which source it is of; so an
answer that pairs two lists by place names a wrong one.
"""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck
from hypothesis import strategies as st

from tasks.core.files import read_json
from tasks.core.layout import Layout
from tasks.inquiry import inventory, quarantined_rows, shared_records
from tasks.inquiry.lineage import indexing, queries
from tasks.sources.dataset import PARTITIONS
from tasks.sources.resolved_sources import load_resolved
from tasks.sources.sources import Sources
from tests.soaking import examples
from tests.stages.data.build import OWNERS, SEVERAL, TODAY, Run, params, several, stages, worded

COUNTS = {"tickets": 17, "chats": 9, "emails": 12}
"""Records of each; one row more has no target."""
ORDERS = st.permutations(SEVERAL)


def gone_through(state: Path, name: str, order: list[str], seed: int = 17) -> tuple[Run, str]:
    """A run of its own through every data stage, with an index of its dataset."""
    run = Run(state / "runs" / name)
    run.root.mkdir(parents=True)
    bad = {"text": "without a target", "label": ""}
    rows = {one: [*worded(one, COUNTS[one]), *[bad] * SEVERAL.index(one)] for one in order}
    run.resolve(*several(run.root, rows))
    for stage in stages().values():
        stage.run(params(test_share=0.3, seed=seed), run.layout)
    return run, indexing.add_dataset(run.layout, "tests").sha256


@examples(ORDERS, few=3, many=6, suppress_health_check=[HealthCheck.too_slow])
def test_every_stage_and_every_question_names_the_source_that_a_record_is_of(order: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / ".hallmark"
        run, sha256 = gone_through(state, "one", order)
        texts = {r["record_id"]: r["messages"][0]["content"] for r in run.records_of("ingest")}
        places = {row["record_id"]: (row["source_id"], row["row"]) for row in run.records_of("ingest", "rows")}
        for side in PARTITIONS:
            for record in run.records_of("split", side):
                source = texts[record["record_id"]].split()[0]
                (found,) = queries.memberships_of_record(state, record["record_id"])
                assert (found.source_id, found.row, found.side) == (*places[record["record_id"]], side)
                assert found.source_id == record["source_id"] == source

        manifest = read_json(run.layout.artefacts("split") / "manifest.json")["sources"]
        members = queries.memberships_of_dataset(state, sha256)
        for name in order:
            counted = {side: sum((m.source_id, m.side) == (name, side) for m in members) for side in PARTITIONS}
            assert counted == manifest[name]["rows"] and sum(counted.values()) == COUNTS[name]
            assert manifest[name]["owner"] == OWNERS[name] and manifest[name]["licence"] == f"licence of {name}"
        assert [read.id for read in queries.list_datasets(state)[0].sources] == order

        pinned = [item.source for item in load_resolved(run.layout.sources_path).sources]
        held = inventory.read_inventory(Sources(sources=pinned[::-1]), [run.root], TODAY)
        assert {one.source.id: one.loss.rows for one in held if one.loss} == {n: manifest[n]["rows"] for n in order}
        aside = {one.source_id: one.rows for one in quarantined_rows.read_quarantine(run.layout).count_by_rule()}
        assert aside == {name: SEVERAL.index(name) for name in order if SEVERAL.index(name)}


@examples(ORDERS, ORDERS, few=2, many=12, suppress_health_check=[HealthCheck.too_slow])
def test_two_datasets_are_compared_source_by_source_in_whatever_order(before: list[str], now: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / ".hallmark"
        first, had = gone_through(state, "one", before)
        second, has = gone_through(state, "two", now, seed=3)
        kept = {name: found.kept for name, found in shared_records.compare_datasets(state, had, has).sources.items()}
        assert kept == COUNTS
        for run in (first, second):
            (Layout(run.root).artefacts("split") / "train.parquet").unlink()
        found = shared_records.compare_datasets(state, had, has)
        assert (found.how, {name: one.kept for name, one in found.sources.items()}) == ("id", COUNTS)
