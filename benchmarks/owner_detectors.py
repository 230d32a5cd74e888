"""Texts per second of an owner's token classifier: batched, against one text at a time.

    python benchmarks/owner_detectors.py [--texts 2000] [--batch 32] [--out benchmarks/results/owner_detectors.json]

The model has random weights and the size of a small one (4 layers of width 256, 8.6 million parameters with its
vocabulary), and reads the planted support texts of tests/stages/data/recognise/planted.py. One thread, as in stage
`ingest`. The benchmark fails if both ways find other values. `rules` is the speed of Hallmark's recognisers, for scale.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the planted texts and the form of a model are those of the tests

from benchmarks.protect import machine  # noqa: E402
from tasks.core.files import path_digest  # noqa: E402
from tasks.sources.owner_detectors import OwnerDetector  # noqa: E402
from tasks.stages.data.protect.owner_detectors.pinned_files import PinnedDetector  # noqa: E402
from tasks.stages.data.protect.owner_detectors.reading import find_values  # noqa: E402
from tasks.stages.data.protect.recognisers import detector  # noqa: E402
from tests.stages.data.recognise.planted import planted  # noqa: E402

LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
VOCABULARY = 20_000
THRESHOLD = 0.22
"""Threshold at which the random model finds about one token in ten, so that spans are made too."""


def save_model(folder: Path, texts: Sequence[str]) -> None:
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
    from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast

    torch.manual_seed(5)
    plain = Tokenizer(models.BPE())
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    special = ["<s>", "<pad>", "</s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    plain.train_from_iterator(texts, trainer)
    plain.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    config = BertConfig(
        vocab_size=VOCABULARY, hidden_size=256, num_hidden_layers=4, num_attention_heads=4, intermediate_size=1024,
        max_position_embeddings=512, pad_token_id=1, id2label=dict(enumerate(LABELS)),
        label2id={label: number for number, label in enumerate(LABELS)},
    )  # fmt: skip
    BertForTokenClassification(config).save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=plain, pad_token="<pad>").save_pretrained(folder)


def pinned(folder: Path, batch: int) -> PinnedDetector:
    declared: dict[str, Any] = {"name": "small", "kind": "transformers", "path": str(folder), "batch": batch}
    declared |= {"sha256": path_digest(folder), "labels": {"PER": "name", "LOC": "address"}, "threshold": THRESHOLD}
    return PinnedDetector(OwnerDetector.model_validate(declared), folder, "benchmark")


def speed(find: Callable[[Sequence[str]], Any], texts: Sequence[str]) -> tuple[float, Any]:
    """Return texts per second of processor time, after everything is loaded, and what was found."""
    find(texts[:8])
    began = time.process_time()
    found = find(texts)
    return len(texts) / (time.process_time() - began), found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=2_000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "owner_detectors.json")
    given = parser.parse_args()
    texts = [case.text for case in planted(given.texts // 60 + 1, seed=9)][: given.texts]
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder), texts)
        one, together = (pinned(Path(folder), batch) for batch in (1, given.batch))
        alone, found_alone = speed(lambda some: find_values(one, some, "en"), texts)
        batched, found = speed(lambda some: find_values(together, some, "en"), texts)
    if found != found_alone:
        sys.exit("a batch finds other values than one text at a time")
    rules, _ = speed(detector.detect_spans, texts)
    line = {
        "metric": f"token classifier, batches of {given.batch} against 1", "ours": round(batched, 1),
        "peer": "one text at a time", "peer_value": round(alone, 1), "ratio": round(batched / alone, 2), "goal": None,
        "met": None, "unit": "texts/s", "rules": round(rules, 1), "finds": sum(map(len, found)),
    }  # fmt: skip
    print(json.dumps(line))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps([line | machine()], indent=2) + "\n")


if __name__ == "__main__":
    main()
