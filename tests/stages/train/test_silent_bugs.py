"""Faults that would train on in silence, with a healthy curve, are put in one at a time: each stops the training before
or at its first step."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from tasks.core.errors import InputError, Refused
from tasks.core.records import rendering
from tasks.core.records.prompts import split_context_and_target
from tasks.stages.train import loop
from tasks.stages.train.model import builders, engine, target_loss
from tasks.stages.train.model import engine as engine_module
from tasks.stages.train.model.sequence_parallel import PassGroup, UlyssesAttention, WholeRows
from tasks.stages.train.rows import batches, examples, forward_passes, row_verification
from tasks.stages.train.rows.batches import Batch
from tests.stages.train import plain_texts
from tests.stages.train.conftest import PROMPTS, MakeJob, make_rows, put_rows, rendered
from tests.stages.train.plain_texts import put_table
from tests.stages.train.spawn import Workers

Patch = pytest.MonkeyPatch


def change_example(change: Callable[[list[int], int], tuple[list[int], int]]) -> Callable[[Patch], None]:
    """A renderer that is wrong about each row."""

    def plant(patch: Patch) -> None:
        real = rendering.tokenise_conversation

        def render(*given: Any) -> rendering.Example:
            made = real(*given)
            return rendering.Example(*change(list(made.tokens), made.target_start))

        patch.setattr(rendering, "tokenise_conversation", render)

    return plant


def drift(patch: Patch) -> None:
    """Training renders another conversation than serving: without the system prompt."""
    real = rendering.tokenise_conversation
    patch.setattr(rendering, "tokenise_conversation", lambda turns, *given: real(turns[1:], *given))


PAD, START = 256, 257
IN_ROWS: dict[str, tuple[Callable[[Patch], None], str]] = {
    "mask begins a token late": (change_example(lambda it, at: (it, at + 1)), "prompt is not what serving will ask"),
    "mask begins a token early": (change_example(lambda it, at: (it, at - 1)), "prompt is not what serving will ask"),
    "the stop token is not trained": (change_example(lambda it, at: (it[:-1], at)), "not in a stop token"),
    "it begins twice": (change_example(lambda it, at: ([START, *it], at + 1)), "prompt is not what serving"),
    "the template drifted": (drift, "prompt is not what serving will ask"),
    "nothing is trained": (change_example(lambda it, at: (it[:at], at)), "no token of it is trained"),
    "padding is trained": (change_example(lambda it, at: ([*it[:-1], PAD, it[-1]], at)), "would be trained"),
    "an answer loses a token": (change_example(lambda it, at: ([*it[:at], *it[at + 1 :]], at)), "not its answer"),
    "a row of another": (change_example(lambda it, at: ([*it[: at - 5], 7, *it[at - 4 :]], at)), "prompt is not what"),
}  # fmt: skip


@pytest.mark.parametrize("fault", IN_ROWS)
def test_a_fault_in_the_tokens_is_found_in_the_files(
    tiny: Path, tmp_path: Path, monkeypatch: Patch, fault: str
) -> None:
    plant, words = IN_ROWS[fault]
    table, tokenizer = put_table(tmp_path / "rows.parquet", make_rows(6)), AutoTokenizer.from_pretrained(tiny)
    stops = rendering.stop_token_ids(tokenizer, tiny)

    def prove(name: str) -> None:
        made = [
            rendering.tokenise_conversation(*split_context_and_target(row, PROMPTS), tokenizer, stops)
            for row in make_rows(6)
        ]
        row_verification.verify_rows(
            examples.map_examples(put_rows(tmp_path / name, made)), [table], PROMPTS, tokenizer, stops
        )

    prove("right")
    plant(monkeypatch)
    with pytest.raises(Refused, match=rf"row 1 \(record r0\): .*({words})"):
        prove("wrong")


def test_a_template_that_leaves_out_what_somebody_says_is_found(tiny: Path) -> None:
    """Serving would ask the same, so that the tokens do not tell. Space may change."""
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    turns, _ = split_context_and_target(make_rows(1)[0], PROMPTS)
    plain = tokenizer.chat_template
    for kept, wrong in (("| trim", False), ("| replace(' ', '  ')", False), ("[:-1] | trim", True), ("[:5]", True)):
        tokenizer.chat_template = plain.replace("message['content']", f"message['content'] {kept}")
        assert ("is not whole in the prompt" in row_verification.find_template_fault(turns, tokenizer)) == wrong, kept


def test_a_template_that_takes_no_such_conversation_is_told_in_words(tiny: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    tokenizer.chat_template = "{{ raise_exception('no system prompts') }}"
    stops = rendering.stop_token_ids(tokenizer, tiny)
    with pytest.raises(InputError, match=r"refuses a conversation of system, user and an answer: no system prompts"):
        rendering.tokenise_conversation(*split_context_and_target(make_rows(1)[0], PROMPTS), tokenizer, stops)


def test_a_template_that_begins_twice_is_found(tiny: Path) -> None:
    """Serving would ask the same, so that only this tells."""
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    tokenizer.chat_template = (tokenizer.bos_token * 2) + tokenizer.chat_template
    turns, target = split_context_and_target(make_rows(1)[0], PROMPTS)
    stops = rendering.stop_token_ids(tokenizer, tiny)
    made = rendering.tokenise_conversation(turns, target, tokenizer, stops)
    said = row_verification.find_conversation_fault(
        list(made.tokens), made.target_start, turns, target, tokenizer, stops
    )
    assert said == f"it begins with {tokenizer.bos_token} twice; mend the chat template of the base model"


def test_ids_that_do_not_fit_and_rows_that_are_missing_are_found(tiny: Path, tmp_path: Path) -> None:
    table, tokenizer = put_table(tmp_path / "rows.parquet", make_rows(6)), AutoTokenizer.from_pretrained(tiny)
    stops, made = rendering.stop_token_ids(tokenizer, tiny), rendered(tiny, 6)
    right = examples.examples_in_memory(made)
    wrapped = dataclasses.replace(right, tokens=right.tokens.astype(np.uint8))
    with pytest.raises(Refused, match="prompt is not what serving will ask"):
        row_verification.verify_rows(wrapped, [table], PROMPTS, tokenizer, stops)
    with pytest.raises(Refused, match="expected the tokens of 6 rows, found those of 5"):
        row_verification.verify_rows(examples.examples_in_memory(made[:-1]), [table], PROMPTS, tokenizer, stops)
    with pytest.raises(Refused, match="expected the tokens of 6 rows, found those of 7"):
        row_verification.verify_rows(examples.examples_in_memory([*made, made[0]]), [table], PROMPTS, tokenizer, stops)


def change_batch(change: Callable[[Batch], Batch]) -> Callable[[Patch], None]:
    def plant(patch: Patch) -> None:
        real = batches.collate
        for module in (loop, loop.forward_pass):
            patch.setattr(module, "collate", lambda *given, **named: change(real(*given, **named)))

    return plant


def with_target(batch: Batch, predicts: torch.Tensor) -> Batch:
    return dataclasses.replace(batch, predicts_target=predicts, targets=batch.tokens.roll(-1, dims=1)[predicts])


def late(batch: Batch) -> Batch:
    """The token at j is predicted at j, which has seen it: the loss falls to nothing."""
    where = batch.predicts_target.roll(1, dims=1)
    return dataclasses.replace(batch, predicts_target=where, targets=batch.tokens[where])


def padding(batch: Batch) -> Batch:
    """What fills up short rows is trained too."""
    where = batch.predicts_target.clone()
    where[:, -1] = True
    return with_target(batch, where)


def one_sample(batch: Batch) -> Batch:
    """Positions run on over packed rows, which are then one text to the attention."""
    return dataclasses.replace(batch, positions=torch.arange(batch.tokens.shape[1])[None].expand_as(batch.tokens))


def wrong_prefix(batch: Batch) -> Batch:
    """Rows after a shared prefix begin at position 0 again."""
    return dataclasses.replace(batch, positions=batch.positions - len(batch.prefix))


def see_all(patch: Patch) -> None:
    """The mask of ones that collators pass along switches off what keeps packed rows apart."""
    real = target_loss.TargetLoss.forward

    def forward(self: Any, batch: Batch) -> torch.Tensor:
        inner, ones = self.model.forward, torch.ones_like(batch.tokens)
        self.model.forward = lambda **named: inner(**{**named, "attention_mask": ones})
        try:
            return real(self, batch)
        finally:
            self.model.forward = inner

    patch.setattr(target_loss.TargetLoss, "forward", forward)


def change_loss(change: Callable[[Any, torch.Tensor, Batch], torch.Tensor]) -> Callable[[Patch], None]:
    """What goes backward is another loss than is told."""

    def plant(patch: Patch) -> None:
        start = engine_module.create_engine

        def started(*given: Any) -> Any:
            engine = start(*given)
            real, forward = engine.backward, engine.forward

            def kept(batch: Batch) -> torch.Tensor:
                engine.last = batch
                return forward(batch)

            engine.forward = kept
            engine.backward = lambda loss: real(change(engine, loss, engine.last))
            return engine

        patch.setattr(engine_module, "create_engine", started)

    return plant


def fewer_passes(patch: Patch) -> None:
    """The last pass of a step is dropped."""
    real = forward_passes.plan_passes
    patch.setattr(
        forward_passes, "plan_passes", lambda *given: dataclasses.replace(plan := real(*given), groups=plan.groups[:-1])
    )


def same_rows(patch: Patch) -> None:
    """Every pass takes the first one's rows."""
    real = forward_passes.plan_passes
    patch.setattr(
        forward_passes,
        "plan_passes",
        lambda *given: dataclasses.replace(plan := real(*given), groups=[plan.groups[0]] * len(plan.groups)),
    )


def prepared(change: Callable[[Any], object]) -> Callable[[Patch], None]:
    """A model that is not prepared as its method says."""

    def plant(patch: Patch) -> None:
        real = engine.add_adapter

        def add(model: Any, training: Any) -> Any:
            made = real(model, training)
            change(made)
            return made

        patch.setattr(engine, "add_adapter", add)

    return plant


def unfreeze(model: Any) -> None:
    model.get_input_embeddings().weight.requires_grad_(True)


def freeze_half(model: Any) -> None:
    for name, weight in model.named_parameters():
        if "q_proj" in name:
            weight.requires_grad_(False)


def idle_module(model: Any) -> None:
    """One layer's part of the adapter is left out of the loss."""
    weights = [weight for name, weight in model.named_parameters() if weight.requires_grad and "layers.0." in name]
    for weight in weights[:2]:
        weight.register_hook(torch.zeros_like)


def scale_nothing(model: Any) -> None:
    for module in model.modules():
        if isinstance(getattr(module, "scaling", None), dict):
            module.scaling["default"] = 0.0


def of_another(patch: Patch) -> None:
    """The optimizer was made before the adapter, and holds none of it."""
    real = builders.build_optimizer
    patch.setattr(
        builders, "build_optimizer", lambda training, weights: real(training, [torch.nn.Parameter(torch.zeros(3))])
    )


SMALL = {"micro_batch_tokens": 300, "global_batch_size": 8}
PACKED = {"layout": "packed", "global_batch_size": 8}
IN_STEPS: dict[str, tuple[Callable[[Patch], None], dict[str, Any], str]] = {
    "a module takes no part": (prepared(idle_module), {}, "trained weights got no gradient in the first step"),
    "predicts what it sees": (change_batch(late), {}, "among others and .* alone; a mask"),
    "trains padding": (change_batch(padding), {"order": "shuffled"}, "among others and .* alone; a mask"),
    "packed rows are one text": (change_batch(one_sample), PACKED, "among others and .* alone; a mask"),
    "packed rows see each other": (see_all, PACKED, "among others and .* alone; a mask|sees the row before"),
    "positions after a prefix": (change_batch(wrong_prefix), {}, "among others and .* alone; a mask"),
    "passes are averaged": (
        change_loss(lambda _, loss, __: loss / 2),
        SMALL,
        r"another gradient .*\(0\.5 times as large",
    ),
    "loss per row": (change_loss(lambda _, loss, it: loss / len(it.targets) * 12), SMALL, "another gradient"),
    "one pass is dropped": (fewer_passes, SMALL, "8 rows with .* were computed"),
    "rows are taken twice": (same_rows, {**SMALL, "order": "shuffled"}, "were computed"),
    "weights of the base learn": (prepared(unfreeze), {}, "trains its adapter alone"),
    "half of the adapter is frozen": (prepared(freeze_half), {}, "trains its adapter alone"),
    "the adapter is not active": (prepared(lambda it: it.base_model.disable_adapter_layers()), {}, "adapter alone"),
    "the adapter counts for nothing": (prepared(scale_nothing), {}, "the adapter is not active"),
    "the optimizer holds something else": (of_another, {}, "the optimizer does not hold"),
}


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("fault", IN_STEPS)
def test_a_fault_in_the_steps_is_found_before_or_at_the_first(job: MakeJob, monkeypatch: Patch, fault: str) -> None:
    plant, settings, words = IN_STEPS[fault]
    made = job(**settings)
    plant(monkeypatch)
    with pytest.raises(Refused, match=words):
        loop.run_training(made)
    assert not made.training_log.exists() or not made.training_log.read_text(), "no step counts"


@pytest.mark.usefixtures("alone")
def test_packed_rows_that_see_each_other_are_found_however_little_it_changes(job: MakeJob, monkeypatch: Patch) -> None:
    """The loss of a row alone is compared within rounding, what it sees of another exactly."""
    monkeypatch.setitem(loop.forward_pass.LOSS_TOLERANCE, "fp32", 1e9)
    made = job(**PACKED)
    loop.run_training(made)
    see_all(monkeypatch)
    with pytest.raises(Refused, match="sees the row before it"):
        loop.run_training(job("again", **PACKED))


@pytest.mark.usefixtures("alone")
def test_a_module_that_is_not_there_is_named_with_one_that_is(job: MakeJob) -> None:
    """PEFT takes what it finds, and says nothing of the rest."""
    with pytest.raises(InputError, match=r"no linear layer q_projj; like it are o_proj, q_proj, v_proj"):
        loop.run_training(job(lora_targets=["v_proj", "q_projj"]))


def parts_begin_at_0(patch: Patch) -> None:
    """The positions of each part begin at 0."""

    def plant(part: Batch) -> Batch:
        return dataclasses.replace(part, positions=torch.arange(part.tokens.shape[1])[None].expand_as(part.tokens))

    change_parts(patch, plant)


def lost_at_the_border(patch: Patch) -> None:
    """A part's last token predicts nothing, since the next is another's."""

    def plant(part: Batch) -> Batch:
        every = torch.zeros_like(part.tokens).masked_scatter(part.predicts_target, part.targets)
        predicts = part.predicts_target.clone()
        predicts[:, -1] = False
        return dataclasses.replace(part, predicts_target=predicts, targets=every[predicts])

    change_parts(patch, plant)


def change_parts(patch: Patch, change: Callable[[Batch], Batch]) -> None:
    real = PassGroup.own_part
    patch.setattr(PassGroup, "own_part", lambda self, batch: change(real(self, batch)))


def lost_in_a_step(patch: Patch) -> None:
    """The same, after the first pass has been proven."""
    real = loop.take_step

    def take_step(*given: Any) -> Any:
        lost_at_the_border(patch)
        return real(*given)

    patch.setattr(loop, "take_step", take_step)


def each_sees_its_part(patch: Patch) -> None:
    """The workers' attention is not brought together."""
    real = UlyssesAttention.__call__
    patch.setattr(UlyssesAttention, "__call__", lambda *given, whole=None, **options: real(*given, **options))


def without_masks(patch: Patch) -> None:
    """The whole is attended to without the mask that keeps packed rows apart."""
    patch.setattr(WholeRows, "mask_of_layer", lambda *_: None)


TEXTS = {"layout": "packed", "global_batch_size": 12}
"""Of plain texts, which have a target at every border."""
IN_PARTS: dict[str, tuple[Callable[[Patch], None], dict[str, Any], str]] = {
    "positions of a part begin at 0": (parts_begin_at_0, {}, "among others and .* alone; a mask"),
    "targets between parts are lost": (lost_at_the_border, TEXTS, "among others and .* alone; a mask"),
    "they are lost in a step": (lost_in_a_step, TEXTS, "12 rows with .* were computed"),
    "each sees its part alone": (each_sees_its_part, {}, "among others and .* alone; a mask"),
    "parts of packed rows see each other": (without_masks, PACKED, "among others and .* alone; a mask|sees the row"),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", IN_PARTS)
def test_a_fault_in_a_pass_of_two_workers_is_found(
    job: MakeJob, pair: Workers, tiny: Path, tmp_path: Path, fault: str
) -> None:
    plant, settings, words = IN_PARTS[fault]
    if settings == TEXTS:
        settings = {**settings, "rows": plain_texts.put_tokens(tiny, tmp_path / "tokens")}
    made = job(workers=2, sequence_parallel=2, **settings)
    told = pair.answers(made, plant)
    assert all(re.search(words, it) for it in told), told
    assert not made.training_log.exists() or not made.training_log.read_text(), "no step counts"


def test_at_least_fifteen_faults_are_planted() -> None:
    assert len({*IN_ROWS, *IN_STEPS, *IN_PARTS}) >= 15
