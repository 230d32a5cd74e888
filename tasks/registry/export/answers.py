"""Answers of an export to rows of the evaluation, in greedy decoding as the evaluation has it."""

from collections.abc import Callable, Sequence
from typing import Any

from tasks.registry.export.evaluated import EvaluatedAnswers
from tasks.registry.export.source import ExportSource
from tasks.registry.export.statement import AnswerComparison
from tasks.stages.evaluate import predict
from tasks.stages.evaluate.decode import Decoder, StopConditions, answer_prompts, shared_prefix
from tasks.stages.evaluate.models import PromptLimits
from tasks.stages.evaluate.predict import EncodedRows

Report = Callable[[int, int], None]
"""Function that receives the numbers of answered rows and of all rows."""
Answer = tuple[str, bool] | None
"""Text, and whether a stop token ended it; None if the prompt does not fit into the model's context."""


def encode_rows(source: ExportSource, evaluated: EvaluatedAnswers, tokenizer: Any, config: Any) -> EncodedRows:
    context = getattr(config.get_text_config(), "max_position_embeddings", None)
    limits = PromptLimits(tokenizer, context, frozenset(source.settings.decoding.eos_token_id))
    settings = predict.Params(evaluation=source.params.evaluation, prompts=source.params.prompts)
    return EncodedRows(limits, evaluated.rows, settings)


def answer_rows(
    source: ExportSource, evaluated: EvaluatedAnswers, model: Any, tokenizer: Any, report: Report
) -> list[Answer]:
    """Ask a model that transformers or PEFT loaded."""
    import torch

    torch.set_num_threads(source.params.evaluation.threads)
    asked = encode_rows(source, evaluated, tokenizer, model.config)
    stop = StopConditions(asked.prompt_limits.stop_tokens, source.settings.decoding.max_new_tokens)
    decoder = Decoder(model, shared_prefix(asked.prompts), stop)
    generated = answer_prompts(
        lambda batches: enumerate(map(decoder.answer, batches)),
        asked.prompts,
        source.params.evaluation.batch_size,
        lambda done: report(done, len(asked.prompts)),
    )
    answers: list[Answer] = [None] * len(evaluated.rows)
    for place, answer in zip(asked.fitting_indices, generated, strict=True):
        answers[place] = tokenizer.decode(answer.tokens), answer.stopped
    return answers


def compare(
    source: ExportSource, evaluated: EvaluatedAnswers, answers: Sequence[Answer], asked_with: str
) -> AnswerComparison:
    was = [None if row["reason"] else (row["answer"], row["stopped"]) for row in evaluated.answers]
    settings = source.params.evaluation
    return AnswerComparison(
        evaluated_rows=evaluated.total,
        asked_rows=len(was),
        different_rows=sum(before != now for before, now in zip(was, answers, strict=True)),
        predictions_sha256=evaluated.sha256,
        evaluated_with=f"{settings.engine} on {settings.device} in {source.settings.dtype}",
        asked_with=asked_with,
    )
