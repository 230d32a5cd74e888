"""Which approach is advised for which rows, and why."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from tasks.advice import ranking, rules
from tasks.advice.row_profile import RowProfile
from tasks.core.errors import InputError
from tasks.core.params import methods
from tasks.core.params import params as params_file
from tasks.core.params.use_case import Approach

INTENTS = RowProfile(rows=900, distinct_answers=30, mean_answer_chars=60, refresh_days=365, tasks=1, run="r1")
"""A fixed set of short answers."""
FACTS = RowProfile(rows=4000, distinct_answers=3900, mean_answer_chars=700, refresh_days=7, tasks=1, run="r1")
"""Texts about what changes weekly."""
TONE = replace(FACTS, refresh_days=365)
"""Texts that stay right."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A copy of the shipped params.yaml."""
    return shutil.copyfile(Path(__file__).parents[2] / "params.yaml", tmp_path / "params.yaml")


def best(data: RowProfile) -> rules.Opinion:
    return rules.rank_approaches(data)[0]


def test_every_approach_has_an_opinion_with_reasons() -> None:
    for data in (INTENTS, FACTS, TONE):
        assert {it.approach for it in rules.rank_approaches(data)} == set(get_args(Approach))
    assert all(best(data).reasons for data in (INTENTS, FACTS, TONE))


def test_a_form_is_learnt_and_facts_that_change_are_looked_up() -> None:
    assert best(INTENTS).approach == "lora"
    assert best(FACTS).approach == "retrieval"
    assert "within 7 days, faster than a model" in " ".join(best(FACTS).reasons)
    assert best(TONE).approach == "instruction_tuning"


def test_few_rows_speak_against_training() -> None:
    assert best(replace(TONE, rows=30, distinct_answers=30)).approach == "retrieval"
    assert best(replace(FACTS, rows=30, distinct_answers=30)).approach == "retrieval"


def test_all_weights_are_worth_it_for_very_many_open_rows_alone() -> None:
    points = {data.rows: {it.approach: it.points for it in rules.rank_approaches(data)} for data in (
        TONE, replace(TONE, rows=80_000, distinct_answers=10_000 * 8))}  # fmt: skip
    assert points[4000]["full_fine_tuning"] < 0 < points[80_000]["full_fine_tuning"]


def test_the_card_gets_the_approach_and_its_reasons_and_keeps_its_comments(file: Path) -> None:
    comments = file.read_text().count("#")
    ranking.write_best_approach(file, ranking.Advice(TONE, rules.rank_approaches(TONE), "lora", {}))
    written = params_file.load_params(file).use_case
    assert written.approach == "instruction_tuning"
    assert written.approach_reason == "answers are texts of 700 characters, whose tone and form are learnt"
    assert file.read_text().count("#") >= comments - 1


@pytest.mark.parametrize("before", ["lora", "full_fine_tuning"])
@pytest.mark.parametrize("approach", [it for it in get_args(Approach) if it not in methods.TEXT_APPROACHES])
def test_what_is_written_for_an_approach_is_a_valid_file(file: Path, approach: Approach, before: Approach) -> None:
    ranking.write_best_approach(file, ranking.Advice(TONE, [rules.Opinion(before, 1, ())], "lora", {}))
    ranking.write_best_approach(
        file, ranking.Advice(TONE, [rules.Opinion(approach, 1, ('a "reason": good',))], "lora", {})
    )
    assert params_file.load_params(file).use_case.approach == approach


def test_plain_texts_are_for_continued_pretraining(file: Path) -> None:
    for rows in (
        replace(INTENTS, distinct_answers=0, mean_answer_chars=0, plain_texts=900),
        replace(TONE, plain_texts=3000),
    ):
        assert best(rows).approach == "continued_pretraining"
        assert f"{rows.plain_texts:,} of {rows.rows:,} rows are plain texts" in best(rows).reasons
    only = rules.rank_approaches(replace(INTENTS, distinct_answers=0, mean_answer_chars=0, plain_texts=900))
    assert {it.reasons for it in only[1:]} == {("the rows are plain texts, without answers",)}
    chosen = rules.Opinion("continued_pretraining", 1, ())
    with pytest.raises(InputError, match="goes with a task whose prompt has a text_window"):
        ranking.write_best_approach(file, ranking.Advice(TONE, [chosen], "lora", {}))
