"""Which rows base models are compared on, and that none trains before its data gate."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.compare import rows
from tasks.compare.rows import ChosenRows, RowCounts
from tasks.consent import withdrawals
from tasks.core.errors import InputError, Refused, Unavailable
from tasks.core.files import read_json, tree_digest, write_json
from tasks.core.layout import EXPERIMENT_TIER, Layout
from tasks.core.records.record import read_table, write_table
from tasks.gates import statement
from tasks.ledger.ledger import open_ledger
from tasks.runs.requests.resolution import read_params
from tasks.runs.run import installed_governance
from tasks.scratch import source_run
from tasks.stages.data.conversations import prompt_keys
from tasks.trust import dsse, keys
from tasks.trust.gate_statement import GATE_PREDICATE_TYPE, GateStatement, read_authority, require_gate
from tests import in_process, whole_run
from tests.checkouts import Checkouts
from tests.copies import copy_tree

pytestmark = pytest.mark.slow
NOT_PASSED = "on the rows of run .*, and its data gate has not passed"


def choose(project: Path, asked: int | None = None, trained_on: int | None = None) -> ChosenRows:
    params, _ = read_params(project / "params.yaml", {})
    ledger, governed = open_ledger(project / ".hallmark"), installed_governance(project, None)
    return rows.choose_rows(params, Layout(project), ledger, governed, RowCounts(asked, trained_on))


def split(project: Path) -> Path:
    return project / ".hallmark" / "runs" / whole_run.RUN / "artefacts" / "split"


def prompts(table: pa.Table) -> set[str]:
    return set(prompt_keys(table["messages"].combine_chunks()))


def test_rows_are_of_the_training_side_and_no_prompt_is_asked_and_trained_on(
    passed_project: Path, tmp_path: Path
) -> None:
    chosen = choose(passed_project, 12, 24)
    chosen.write(tmp_path)
    asked, trained_on = (read_table(tmp_path / f"{side}.parquet") for side in ("test", "train"))
    assert (asked.num_rows, trained_on.num_rows, chosen.regions, chosen.is_demo) == (12, 24, ("eu",), False)
    assert not prompts(asked) & prompts(trained_on)
    side = {each: set(read_table(split(passed_project) / f"{each}.parquet")["record_id"].to_pylist()) for each in
            ("train", "test")}  # fmt: skip
    held = {*asked["record_id"].to_pylist(), *trained_on["record_id"].to_pylist()}
    assert len(held) == 36 and held <= side["train"] and not held & side["test"]
    assert choose(passed_project, 12, 24).sha256 == chosen.sha256 != choose(passed_project, 12, 23).sha256


def test_a_prompt_that_stands_twice_is_held_out_whole(project: Path) -> None:
    """By what the rows say, whatever the clusters of `deduplicate` are."""
    params, _ = read_params(project / "params.yaml", {})
    table = read_table(split(project) / "train.parquet")
    twice = pa.concat_tables([table, renamed(table)])
    write_table(twice, project / "twice.parquet")
    clusters = pa.table({"record_id": pa.array([], pa.string()), "cluster": pa.array([], pa.string())})
    records = rows.record_columns.read_split_records(project / "twice.parquet", clusters, params.data.seed)
    asked, rest = rows._draw_rows_to_answer(records, np.ones(len(records), bool), 11)
    said = [prompts(twice.take(pa.array(records.table_position[places]))) for places in (asked, rest)]
    assert said[0] and said[1] and not said[0] & said[1]
    assert (len(asked), len(rest)) == (11, twice.num_rows - 12), "the twin of the last that is asked is on no side"


def test_plain_texts_are_trained_on_and_not_asked(project: Path) -> None:
    params, _ = read_params(project / "params.yaml", {})
    path = split(project) / "train.parquet"
    made = read_table(path).to_pylist()
    for number, row in enumerate(made):
        row["messages"][-1]["content"] *= number % 2
    table = project / "texts.parquet"
    write_table(pa.Table.from_pylist(made, schema=pq.read_schema(path)), table)
    clusters = pa.table({"record_id": pa.array([], pa.string()), "cluster": pa.array([], pa.string())})
    records, able = rows.record_columns.read_split_records(table, clusters, params.data.seed), rows.target_mask(table)
    assert able.tolist() == [number % 2 == 1 for number in range(len(made))]
    asked, rest = rows._draw_rows_to_answer(records, able[records.table_position], 10)
    assert (
        len(asked) == 10 and able[records.table_position[asked]].all() and not able[records.table_position[rest]].all()
    )
    with pytest.raises(InputError, match="--rows: 0 rows asked"):
        rows._draw_rows_to_answer(records, np.zeros(len(records), bool), None)


def renamed(table: pa.Table) -> pa.Table:
    ids = pa.array([f"{name[:-1]}x" for name in table["record_id"].to_pylist()])
    return table.set_column(table.schema.get_field_index("record_id"), table.schema.field("record_id"), ids)


def test_without_numbers_a_third_is_asked_at_most(passed_project: Path) -> None:
    chosen = choose(passed_project)
    assert (len(chosen.positions_to_answer), len(chosen.positions_to_train_on)) == (14, 30)


@pytest.mark.parametrize(("asked", "trained_on", "words"), [(44, None, "--rows: "), (43, 2, "--train-rows 2: 1 rows"),
                                                           (60, None, "--rows: 44 rows")])  # fmt: skip
def test_more_rows_than_there_are_is_told(passed_project: Path, asked: int, trained_on: int, words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)):
        choose(passed_project, asked, trained_on)


def test_before_the_data_gate_nothing_trains(waiting_project: Path) -> None:
    with pytest.raises(Refused, match=NOT_PASSED):
        choose(waiting_project)
    told = in_process.hallmark(waiting_project, "compare", "bases.yaml", code=1)
    assert "its data gate has not passed" in told and "hallmark gates list" in told
    assert not (waiting_project / ".hallmark" / "compared").exists()


@pytest.mark.attack(rights="worker", stopped="the gate's statement is about the digest of the rows that passed")
def test_rows_that_are_not_those_that_passed_train_nothing(project: Path) -> None:
    path = split(project) / "train.parquet"
    changed = read_table(path).slice(1)
    path.unlink()  # a link to the cache
    write_table(changed, path)
    with pytest.raises(Refused, match=f"{NOT_PASSED}.* is not the output that gate data let pass"):
        choose(project)


def test_a_statement_for_experiments_lets_no_governed_rows_train(waiting_project: Path, tmp_path: Path) -> None:
    project = copy_tree(waiting_project, tmp_path / "project")
    layout = Layout(project / ".hallmark" / "runs" / whole_run.RUN)
    statement.write_experiment_statement(layout, "data", installed_governance(project, None))
    with pytest.raises(Refused, match="is passed for experiments alone"):
        choose(project)


@pytest.mark.attack(
    rights="worker", stopped="a comparison asks governance whose gate statements count, not the worktree"
)
def test_an_authority_of_ones_own_lets_nothing_pass(waiting_project: Path, tmp_path: Path) -> None:
    """The worktree says whose statements its stages take, and may be written to; a comparison asks governance."""
    project = copy_tree(waiting_project, tmp_path / "project")
    layout = Layout(project / ".hallmark" / "runs" / whole_run.RUN)
    keys.create_key_pair(tmp_path, "mine")
    mine, subject = keys.make_signer(keys.load_private_key(tmp_path / "mine")), tree_digest(layout.artefacts("split"))
    authority = read_authority(layout)
    forged = authority.model_copy(update={"gate_public_keys": [mine.public_line]})
    write_json(layout.authority_path, forged.model_dump(mode="json"))
    claim = GateStatement(
        gate="data", subject=subject, policy_sha256=authority.policy_sha256, verdict="passed", demo=False
    )
    dsse.write_envelope(
        layout.gate_statement_path("data"),
        dsse.sign_statement(dsse.make_statement(GATE_PREDICATE_TYPE, {"split": subject}, claim.json_value), mine),
    )
    require_gate(layout, "data")
    with pytest.raises(Refused, match=NOT_PASSED):
        choose(project)


def test_a_source_that_was_withdrawn_trains_nothing(project: Path) -> None:
    ledger, governed = open_ledger(project / ".hallmark"), installed_governance(project, None)
    withdrawals.withdraw_source(ledger, governed, "messages", "data-owner", "a contract has ended")
    with pytest.raises(Refused, match=r"may train nothing: .*messages"):
        choose(project)


@pytest.mark.attack(rights="stage", stopped="rows of an experiment are for the parameters of an experiment alone")
def test_rows_of_an_experiment_are_for_experiments_alone(project: Path) -> None:
    run = Layout(split(project).parents[1])
    write_json(run.authority_path, read_json(run.authority_path) | {"tier": EXPERIMENT_TIER})
    with pytest.raises(Unavailable, match="no run of use case tiny has come as far as its rows yet"):
        choose(project)
    params, _ = read_params(project / "params.yaml", {"use_case.risk_tier": EXPERIMENT_TIER})
    assert source_run.newest_run_with_rows(params, Layout(project)).root == run.root


def test_without_a_run_there_is_nothing_to_compare_on(tmp_path: Path, checkouts: Checkouts) -> None:
    project = checkouts.ready(tmp_path / "project")
    with pytest.raises(Unavailable, match=r"no run of use case tiny has come as far as its rows yet"):
        choose(project)


@pytest.mark.parametrize(
    ("prompts", "came"),
    [("{other: {}}", "got none"), ("{triage: {text_window: 64}}", "got one of the other kind")],
)
def test_rows_that_the_parameters_cannot_put_to_a_model_are_refused(project: Path, prompts: str, came: str) -> None:
    """A conversation whose task is of plain texts now would be trained as one, in silence."""
    approach = "continued_pretraining" if "text_window" in prompts else "lora"
    params, _ = read_params(project / "params.yaml", {"prompts": prompts, "use_case.approach": approach})
    with pytest.raises(
        InputError, match=f"expected a task triage of conversations, since run .* has rows of it, {came}"
    ):
        source_run.newest_run_with_rows(params, Layout(project))
