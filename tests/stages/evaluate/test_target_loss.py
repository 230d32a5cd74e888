"""Losses of targets in batches equal those of each alone, whatever prompts share."""

import random
from pathlib import Path

import pytest

from tasks.stages.evaluate.inference import target_loss


def test_batches_change_no_loss(base_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base_folder / "model").eval()
    source = random.Random(1)

    def tokens(most: int) -> list[int]:
        return [source.randrange(256) for _ in range(source.randint(1, most))]

    common = tokens(30)
    pairs = [(common, tokens(9)) for _ in range(12)] + [(tokens(40), tokens(30)) for _ in range(9)]
    monkeypatch.setattr(target_loss, "MAX_TARGET_TOKENS", 60)
    batches = list(target_loss.divide_into_batches(pairs, 4))
    assert sorted(place for each in batches for place in each) == list(range(21)) and len(batches) > 4
    assert all(len(each) == 1 or len(each) * max(len(pairs[place][1]) for place in each) <= 60 for each in batches)
    measured = target_loss.measure_losses(
        lambda given: ((number, target_loss.measure_batch(model, each)) for number, each in enumerate(given)),
        pairs, 4, lambda _: None,
    )  # fmt: skip
    with torch.inference_mode():
        for (prompt, target), loss in zip(pairs, measured, strict=True):
            logits = model(torch.tensor([prompt + target])).logits[0, len(prompt) - 1 : -1]
            assert loss == pytest.approx(
                float(torch.nn.functional.cross_entropy(logits, torch.tensor(target), reduction="sum")), abs=1e-3
            )
