"""Answers of a GGUF file in llama.cpp, through the package xllamacpp, which brings llama.cpp in a wheel.

llama.cpp gets each prompt as text, so its own reading of tokenizer and weights is what is compared.
"""

import importlib.util
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from tasks.core.errors import Refused
from tasks.core.records import prompts
from tasks.registry.export.answers import Answer, Report, encode_rows
from tasks.registry.export.evaluated import EvaluatedAnswers
from tasks.registry.export.source import ExportSource

PACKAGE = "xllamacpp"


def is_installed() -> bool:
    return importlib.util.find_spec(PACKAGE) is not None


def describe_version() -> str:
    return f"llama.cpp of {PACKAGE} {metadata.version(PACKAGE)}, its cache in float32"


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
    answers: list[Answer] = [None] * len(evaluated.rows)
    with serving(file, longest, source.params.evaluation.threads) as client:
        for done, place in enumerate(asked.fitting_indices, start=1):
            turns, _ = prompts.split_context_and_target(evaluated.rows[place], source.params.prompts)
            prompt = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
            answers[place] = _ask(client, source, tokenizer, prompt)
            report(done, len(asked.prompts))
    return answers


@contextmanager
def serving(file: Path, context: int, threads: int) -> Iterator[Any]:
    """Load a file in llama.cpp's server, and yield an HTTP client of the server.

    Keys and values are cached in float32. By default llama.cpp rounds them to float16, which can change answers of
    models that were evaluated in float32. The server has a port of this machine, and answers nobody without its key.

    Args:
        file: GGUF file.
        context: Maximum number of tokens in a prompt and its answer together.
        threads: Number of threads.

    Raises:
        Refused: llama.cpp does not load the file.
    """
    import httpx
    import xllamacpp

    key = secrets.token_hex(32)
    settings = xllamacpp.CommonParams()
    settings.model.path = str(file)
    settings.n_ctx, settings.n_parallel, settings.warmup, settings.verbosity = context, 1, False, 0
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads
    settings.cache_type_k = settings.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    settings.api_keys = [key]
    try:
        server = xllamacpp.Server(settings)
    except RuntimeError as error:
        raise Refused(f"llama.cpp does not load the file that was written ({error}); use --form merged") from None
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=server.listening_address, headers=headers, timeout=None, trust_env=False) as client:
        yield client


def _ask(client: Any, source: ExportSource, tokenizer: Any, prompt: str) -> Answer:
    decoding = source.settings.decoding
    wish = {
        "prompt": prompt,
        "n_predict": decoding.max_new_tokens,
        "temperature": 0,
        "ignore_eos": True,  # the release can have more stop tokens than a GGUF file has room for
        "cache_prompt": False,
        "return_tokens": True,
    }
    tokens = client.post("/completion", json=wish).raise_for_status().json()["tokens"]
    end = next((place for place, token in enumerate(tokens) if token in decoding.eos_token_id), None)
    return tokenizer.decode(tokens[:end]), end is not None
