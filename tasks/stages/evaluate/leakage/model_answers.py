"""Losses and continuations of one model."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tasks.core.params.evaluation import Evaluation
from tasks.core.progress import ProgressReporter
from tasks.stages.cluster import versions
from tasks.stages.evaluate import predict
from tasks.stages.evaluate.decode import StopConditions, answer_prompts, shared_prefix
from tasks.stages.evaluate.inference.executor import Executor
from tasks.stages.evaluate.inference.model_process import ModelSetup
from tasks.stages.evaluate.inference.target_loss import PromptAndTarget, measure_losses
from tasks.stages.evaluate.leakage import regurgitation
from tasks.stages.evaluate.leakage.membership import RowLosses
from tasks.stages.evaluate.leakage.questions import Continuation, Questions
from tasks.stages.evaluate.models import ModelFolders, PromptLimits

LOSS_DECIMALS = 6
Targets = Sequence[PromptAndTarget]


@dataclass(frozen=True)
class ModelAnswers:
    canary_losses: list[list[float]]
    """Losses in nats by canary: of its secret, then of the alternatives."""
    extracted: list[bool]
    row_losses: RowLosses
    train_likenesses: list[float]
    """Likeness of each continuation to its original."""
    test_likenesses: list[float]


def ask_model(
    folders: ModelFolders, limits: PromptLimits, questions: Questions, settings: Evaluation, name: str
) -> ModelAnswers:
    """Load a model, and return its losses and continuations. `name` appears in progress lines."""
    continued = [*questions.canary_prompts, *questions.long_train, *questions.long_test]
    prompts = [each.prompt for each in continued]
    longest = max((each.tokens for each in continued), default=1)
    own = settings.model_copy(update={"engine": "transformers"})  # vLLM gives no losses of targets
    setup = ModelSetup(
        folders,
        own,
        StopConditions(limits.stop_tokens, longest),
        shared_prefix(prompts),
        max_tokens=max(map(len, prompts), default=1) + longest,
        versions=versions.installed_versions(),
    )
    with predict.start_executor(setup, name) as executor:
        asker = _Asker(executor, limits.tokenizer, own, name)
        canary_losses = asker.total_losses([each for canary in questions.canary_targets for each in canary])
        places = len(questions.canary_targets[0]) if questions.canary_targets else 1
        train, test = (asker.mean_losses(rows) for rows in (questions.train, questions.test))
        likenesses = asker.likenesses(continued)
    canaries, long_train = len(questions.canary_prompts), len(questions.long_train)
    return ModelAnswers(
        canary_losses=[canary_losses[start : start + places] for start in range(0, len(canary_losses), places)],
        extracted=[each == 1 for each in likenesses[:canaries]],
        row_losses=RowLosses(train, test),
        train_likenesses=likenesses[canaries : canaries + long_train],
        test_likenesses=likenesses[canaries + long_train :],
    )


class _Asker:
    """Model in an executor, with what is needed to ask it."""

    def __init__(self, executor: Executor, tokenizer: Any, settings: Evaluation, name: str) -> None:
        self._executor, self._tokenizer, self._settings, self._name = executor, tokenizer, settings, name

    def total_losses(self, rows: Sequence[Targets]) -> list[float]:
        """Return the loss of each row in nats, over all its targets."""
        pairs = [pair for targets in rows for pair in targets]
        measure = partial(self._executor.map_unordered, "target_losses")
        progress = ProgressReporter(self._name, len(pairs), "targets")
        losses = iter(measure_losses(measure, pairs, self._settings.batch_size, progress.report))
        return [round(sum(next(losses) for _ in targets), LOSS_DECIMALS) for targets in rows]

    def mean_losses(self, rows: Sequence[Targets]) -> list[float]:
        tokens = [sum(len(target) for _, target in targets) for targets in rows]
        return [
            round(total / count, LOSS_DECIMALS) for total, count in zip(self.total_losses(rows), tokens, strict=True)
        ]

    def likenesses(self, continued: Sequence[Continuation]) -> list[float]:
        """Return how alike each continuation by greedy decoding and its original are."""
        answer = partial(self._executor.map_unordered, "answer")
        progress = ProgressReporter(self._name, len(continued), "continuations")
        prompts = [each.prompt for each in continued]
        answers = answer_prompts(answer, prompts, self._settings.batch_size, progress.report)
        return [
            regurgitation.likeness(self._tokenizer.decode(answer.tokens[: each.tokens]), each.original)
            for answer, each in zip(answers, continued, strict=True)
        ]
