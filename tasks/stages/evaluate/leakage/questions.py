"""Questions to a model: canaries with alternatives, and sampled training and test rows.

A row that is not trained on is no member: validation and calibration rows, and rows whose text has a special token.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.core.layout import Layout
from tasks.core.params.evaluation import Evaluation
from tasks.core.params.prompts import Prompts
from tasks.core.records import canaries, record, rendering, set_aside, texts
from tasks.core.records.prompts import RENDERED_COLUMNS
from tasks.core.records.special_tokens import SpecialTokens
from tasks.stages.evaluate import sample
from tasks.stages.evaluate.decode import Tokens
from tasks.stages.evaluate.inference.target_loss import PromptAndTarget
from tasks.stages.evaluate.leakage import canary_ranks, regurgitation
from tasks.stages.evaluate.models import ModelFolders, PromptLimits

Row = Mapping[str, Any]
COLUMNS = tuple(dict.fromkeys(("record_id", *sample.STRATIFICATION_FIELDS, *RENDERED_COLUMNS)))
"""Columns of a record that is drawn and rendered."""


@dataclass(frozen=True)
class SplitRows:
    canaries: Sequence[Row]
    train: Sequence[Row]
    """Training rows that may be drawn; empty if rows are not measured."""
    test: Sequence[Row]


@dataclass(frozen=True)
class Continuation:
    """Beginning of a row's tokens, and the text that follows it in the row."""

    prompt: Tokens
    tokens: int
    """Number of tokens of the text that follows."""
    original: str


@dataclass(frozen=True)
class Questions:
    canaries: Sequence[Row]
    canary_targets: Sequence[Sequence[Sequence[PromptAndTarget]]]
    """Targets by canary: of its own secret, then of the alternatives. A plain text can have several windows."""
    canary_prompts: Sequence[Continuation]
    """Prompt of each canary, up to its secret."""
    train: Sequence[Sequence[PromptAndTarget]]
    """Targets of sampled training rows, which are members."""
    test: Sequence[Sequence[PromptAndTarget]]
    long_train: Sequence[Continuation]
    long_test: Sequence[Continuation]


def read_rows(layout: Layout, settings: Evaluation) -> SplitRows:
    split = layout.artefacts("split")
    planted = canaries.read_canaries(split)
    if not settings.leakage_rows:
        return SplitRows(planted, [], [])
    train, test = (record.read_table(split / f"{side}.parquet", COLUMNS).to_pylist() for side in ("train", "test"))
    aside = {int(place) for name in set_aside.FILES for place in set_aside.read_indices(split, name)}
    return SplitRows(planted, [row for place, row in enumerate(train) if place not in aside], test)


def ask(
    rows: SplitRows, folders: ModelFolders, limits: PromptLimits, prompts: Prompts, settings: Evaluation
) -> Questions:
    """Draw rows, and return the questions about them. Rows that are longer than the model's context are left out."""
    encode = _Encoder(folders, limits, prompts)
    most, signs = settings.leakage_rows or 0, SpecialTokens(limits.tokenizer)
    train, test = ([row for row in each if not signs.occur_in(row, prompts)] for each in (rows.train, rows.test))
    long_train, long_test = ([row for row in each if _length(row) >= regurgitation.MIN_CHARS] for each in (train, test))

    def draw(each: Sequence[Row]) -> Iterable[Row]:
        return sample.draw_rows(each, most, settings.seed)

    return Questions(
        canaries=rows.canaries,
        canary_targets=[[encode.targets(each) for each in _with_alternatives(row, settings)] for row in rows.canaries],
        canary_prompts=[encode.canary_prompt(row) for row in rows.canaries],
        train=[targets for row in draw(train) if (targets := encode.fitting_targets(row))],
        test=[targets for row in draw(test) if (targets := encode.fitting_targets(row))],
        long_train=[each for row in draw(long_train) if (each := encode.second_half(row))],
        long_test=[each for row in draw(long_test) if (each := encode.second_half(row))],
    )


def _with_alternatives(canary: Row, settings: Evaluation) -> list[Row]:
    others = canaries.draw_alternatives(canary, canary_ranks.ALTERNATIVES, settings.seed)
    return [canary, *(canaries.with_secret(canary, secret) for secret in others)]


def _length(row: Row) -> int:
    return len(texts.plain_text_of(row) if texts.is_plain_text(row) else row["messages"][-1]["content"])


class _Encoder:
    """Tokens of rows, as stage `tokenise` makes them."""

    def __init__(self, folders: ModelFolders, limits: PromptLimits, prompts: Prompts) -> None:
        self._limits, self._prompts, self._tokenizer = limits, prompts, limits.tokenizer
        self._stops = rendering.stop_token_ids(limits.tokenizer, folders.base_folder)
        special = {number for number, token in limits.tokenizer.added_tokens_decoder.items() if token.special}
        self._ends = self._stops & special

    def targets(self, row: Row) -> list[PromptAndTarget]:
        """Return the target of a conversation, or that of each window of a plain text, without a stop token."""
        examples = rendering.tokenise_record(row, self._prompts, self._tokenizer, self._stops)
        pairs = [
            (each.tokens[: each.target_start], self._unstopped(each.tokens[each.target_start :])) for each in examples
        ]
        return [(prompt, target) for prompt, target in pairs if target]

    def _unstopped(self, tokens: Tokens) -> Tokens:
        """Return the tokens before the end of the turn. A chat template can have more tokens after it."""
        return list(itertools.takewhile(lambda token: token not in self._ends, tokens))

    def fitting_targets(self, row: Row) -> list[PromptAndTarget]:
        """Return the target of a row, of a plain text that of its first window; empty if it exceeds the context."""
        targets = self.targets(row)[:1]
        return targets if all(self._limits.fits(prompt, len(target)) for prompt, target in targets) else []

    def second_half(self, row: Row) -> Continuation | None:
        """Return the first half of a target, or of a text's first window, and what follows it."""
        (prompt, target), *_ = self.targets(row)
        half = len(target) // 2
        rest = target[half:][: regurgitation.MAX_CONTINUED_TOKENS]
        known = [*prompt, *target[:half]]
        if not self._limits.fits(known, regurgitation.MAX_CONTINUED_TOKENS):
            return None
        return Continuation(known, len(rest), self._tokenizer.decode(rest))

    def canary_prompt(self, row: Row) -> Continuation:
        (prompt, target), *_ = self.targets(row)
        secret = canaries.secret_of(row)
        if texts.is_plain_text(row):
            before = texts.tokenise_text(texts.plain_text_of(row).removesuffix(secret).rstrip(), self._tokenizer)
            prompt, target = [*prompt, *before], target[len(before) :]
        return Continuation(prompt, len(target), secret)
