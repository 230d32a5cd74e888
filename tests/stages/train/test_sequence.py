"""A pass that several workers take together: its parts are the whole. What they compute is in test_invariance.py."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tasks.core.errors import InputError
from tasks.stages.train.machines import worker_capacity
from tasks.stages.train.model.sequence_parallel import BatchPart, PassGroup
from tasks.stages.train.preflight import estimate, model_shape, sequence_parallel_check, workload
from tasks.stages.train.rows.batches import collate
from tasks.stages.train.rows.examples import Examples
from tests.stages.train.conftest import MakeJob, training

ROWS = [0, 7, 11, 2]


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("size", [2, 3, 7])
def test_parts_are_the_whole_and_each_target_is_in_one(rows24: Examples, size: int, packed: bool) -> None:
    whole = collate(rows24, ROWS, packed)
    taken = [PassGroup(size, 0, place).own_part(whole) for place in range(size)]
    length = whole.tokens.shape[1]
    assert len({part.tokens.shape for part in taken}) == 1, "all have as much to do"
    assert all(
        isinstance(part, BatchPart) and torch.equal(part.whole_positions[:, :length], whole.positions) for part in taken
    )
    for name in ("tokens", "positions", "predicts_target"):
        put = torch.cat([getattr(part, name) for part in taken], dim=1)
        assert torch.equal(put[:, :length], getattr(whole, name))
    following = torch.zeros_like(put, dtype=torch.int64)
    following[put] = 1
    assert not following[:, length:].any(), "nothing that fills up is trained"
    followed = torch.cat([scatter(part) for part in taken], dim=1)[:, :length]
    assert torch.equal(followed[whole.predicts_target], whole.targets), "also where the next token is another's"
    assert sum(len(part.targets) for part in taken) == len(whole.targets)


def scatter(part: BatchPart) -> torch.Tensor:
    return torch.zeros_like(part.tokens).masked_scatter(part.predicts_target, part.targets)


def test_one_worker_takes_all_of_it(rows24: Examples) -> None:
    whole = collate(rows24, ROWS)
    assert PassGroup(1, 3, 0).own_part(whole) is whole


def test_what_a_base_model_cannot_part_is_refused(tiny: Path) -> None:
    """The tiny one has four heads, and two of keys and values."""
    model = model_shape.read_model_shape(tiny)
    for together in (1, 2):
        sequence_parallel_check.require_sequence_parallel_support(
            training(workers=together, sequence_parallel=together), model
        )
    for together, words in ((3, "4 attention heads"), (4, "2 heads of keys and values")):
        settings = training(workers=together, sequence_parallel=together)
        with pytest.raises(InputError, match=f"sequence_parallel {together} does not divide the {words}.* one of 1, 2"):
            sequence_parallel_check.require_sequence_parallel_support(settings, model)
    for name, values, words in (
        ("layer_kinds", {"full_attention", "linear_attention"}, "linear_attention"),
        ("position_kinds", {"longrope"}, "longrope"),
    ):
        with pytest.raises(InputError, match=f"the base model has {words}, which needs them whole; set it to 1"):
            changed = dataclasses.replace(model, **{name: frozenset(values)})
            sequence_parallel_check.require_sequence_parallel_support(training(workers=2, sequence_parallel=2), changed)


def test_a_model_with_an_attention_of_its_own_is_refused() -> None:
    from transformers import FalconConfig, FalconForCausalLM

    falcon = FalconForCausalLM(FalconConfig(vocab_size=64, hidden_size=16, num_hidden_layers=1, num_attention_heads=2))
    PassGroup(1, 0, 0).require_supported_model(falcon)
    with pytest.raises(InputError, match=r"2 needs .* models of type falcon have their own; set it to 1"):
        PassGroup(2, 0, 0).require_supported_model(falcon)


def test_preflight_counts_a_worker_s_part(tiny: Path, folder24: Path) -> None:
    settings = [training(workers=2, sequence_parallel=each, micro_batch_tokens=16) for each in (1, 2)]
    work = [workload.count_workload(folder24, each, None) for each in settings]
    assert [it.passes_per_step for it in work] == [2, 4], "of four rows, each of which is longer than 16 tokens"
    one, two = (estimate.largest_pass_tokens(*each) for each in zip(settings, work, strict=True))
    assert one == work[0].longest_row and two == -(-one // 2)


@pytest.mark.parametrize(
    ("settings", "groups"),
    [
        ({"workers": 8, "least_workers": 4, "sequence_parallel": 2}, [4, 2, 2]),
        ({"workers": 8, "least_workers": 8}, [8]),
    ],
    ids=str,
)
def test_workers_of_a_cluster_come_in_groups(
    settings: dict[str, int], groups: list[int], job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted: list[list[int]] = []
    given = iter([0, 8])

    @contextlib.contextmanager
    def asked(_: object, together: list[int]) -> Iterator[worker_capacity.PlacementGroups]:
        wanted.append(together)
        yield worker_capacity.PlacementGroups([])

    monkeypatch.setattr(worker_capacity, "request_placement_groups", asked)
    monkeypatch.setattr(worker_capacity.PlacementGroups, "workers_placed", lambda _: next(given))
    monkeypatch.setattr(worker_capacity, "POLL_SECONDS", 0)
    assert worker_capacity.wait_for_workers(job(**settings)) == 8
    assert wanted == [groups]
    assert next(given, None) is None  # it waited
