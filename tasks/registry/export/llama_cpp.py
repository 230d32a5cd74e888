"""Answers of a GGUF file in llama.cpp, through the package xllamacpp, which brings llama.cpp in a wheel.

llama.cpp gets each prompt as text, so its own reading of tokenizer and weights is what is compared.
"""

import importlib.util
import secrets
from importlib import metadata
from pathlib import Path
from typing import Any

from tasks.core.records import prompts
from tasks.registry.export.answers import Answer, Report, encode_rows
from tasks.registry.export.evaluated import EvaluatedAnswers
from tasks.registry.export.source import ExportSource

PACKAGE = "xllamacpp"


def is_installed() -> bool:
    return importlib.util.find_spec(PACKAGE) is not None


def describe_version() -> str:
    return f"llama.cpp of {PACKAGE} {metadata.version(PACKAGE)}"


def answer_rows(
    source: ExportSource, evaluated: EvaluatedAnswers, file: Path, tokenizer: Any, config: Any, report: Report
) -> list[Answer]:
    """Ask llama.cpp, greedily and one row at a time.

    Args:
        source: Release that the file was made from.
        evaluated: Rows to ask.
        file: GGUF file.
        tokenizer: Tokenizer of the release, which writes the prompts and reads the answers.
        config: The model's configuration in transformers.
        report: Receiver of the progress.
    """
    asked = encode_rows(source, evaluated, tokenizer, config)
    longest = max(map(len, asked.prompts), default=1) + source.settings.decoding.max_new_tokens
    server = _start_server(file, longest, source.params.evaluation.threads)
    answers: list[Answer] = [None] * len(evaluated.rows)
    for done, place in enumerate(asked.fitting_indices, start=1):
        turns, _ = prompts.split_context_and_target(evaluated.rows[place], source.params.prompts)
        prompt = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        answers[place] = _ask(server, source, tokenizer, prompt)
        report(done, len(asked.prompts))
    return answers


def _start_server(file: Path, context: int, threads: int) -> Any:
    """Load the file. xllamacpp also answers on a port of this machine; nobody is told the key that it asks for."""
    import xllamacpp

    settings = xllamacpp.CommonParams()
    settings.model.path = str(file)
    settings.n_ctx, settings.n_parallel, settings.warmup, settings.verbosity = context, 1, False, 0
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads
    settings.api_keys = [secrets.token_hex(32)]
    return xllamacpp.Server(settings)


def _ask(server: Any, source: ExportSource, tokenizer: Any, prompt: str) -> Answer:
    decoding = source.settings.decoding
    told = server.handle_completions(
        {
            "prompt": prompt,
            "n_predict": decoding.max_new_tokens,
            "temperature": 0,
            "ignore_eos": True,  # the release can have more stop tokens than a GGUF file has room for
            "cache_prompt": False,
            "logprobs": 1,  # with them come the tokens
        }
    )
    tokens = [each["id"] for each in told["choices"][0]["logprobs"]["content"]]
    end = next((place for place, token in enumerate(tokens) if token in decoding.eos_token_id), None)
    return tokenizer.decode(tokens[:end]), end is not None
