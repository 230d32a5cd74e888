"""Stage `tokenise`: turn the training rows into tokens, once for all training runs that use them.

The canaries, if there are any, come after all rows, so that the places of validation rows remain true.

Writes artefacts/tokenise/ with the files of `examples.py` and `result.json`. The table is read in parts, so it can have
any size.
"""

from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tasks.core import facts
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.facts import Fact, Facts
from tasks.core.files import atomic_folder, read_json, sha256_bytes, sha256_file, write_json
from tasks.core.json_text import canonical_json
from tasks.core.layout import Layout
from tasks.core.params.prompts import Prompt, Prompts
from tasks.core.progress import ProgressReporter, print_progress
from tasks.core.records import record, set_aside
from tasks.core.records.canaries import CANARIES_FILE
from tasks.core.records.prompts import RENDERED_COLUMNS
from tasks.core.records.rendering import Example, stop_token_ids, tokenise_record
from tasks.core.records.set_aside import CALIBRATION_FILE, VALIDATION_FILE
from tasks.core.records.special_tokens import SpecialTokens
from tasks.stages import import_speed
from tasks.stages.train.rows import examples, row_verification
from tasks.stages.train.rows.examples import ExampleWriter, TokensOrigin
from tasks.trust.gate_statement import require_gate

ROWS_PER_BATCH = 1_000


class Result(FrozenModel):
    rows: int
    """Number of rows. Each window of a plain text is a row."""
    validation_rows: int
    """Number of validation rows, which are included in `rows` and are not trained on."""
    tokens: int
    target_tokens: int
    """Number of tokens that the loss covers."""
    longest: int
    left_out: int = 0
    """Number of records that were left out because their text contains a special token of the tokenizer."""

    @staticmethod
    def read(layout: Layout) -> "Result":
        stated = read_json(layout.artefacts("tokenise") / "result.json")
        return Result.model_validate({name: stated[name] for name in Result.model_fields if name in stated})

    def facts(self) -> Facts:
        return {
            "rows": Fact(value=self.rows, unit="rows"),
            "validation_rows": Fact(value=self.validation_rows, unit="rows", note="of these; no step learns from them"),
            "tokens": Fact(value=self.tokens, unit="tokens", note="of prompts and targets"),
            "target_tokens": Fact(value=self.target_tokens, unit="tokens", note="that the loss is on"),
            "longest": Fact(value=self.longest, unit="tokens", note="of the longest row"),
            "left_out": Fact(value=self.left_out, unit="records", note="a sign of the tokenizer stands in their words"),
        }


class Params(FrozenModel):
    prompts: Prompts


def run(params: Params, layout: Layout) -> Result:
    """Tokenise the training rows.

    Raises:
        Refused: The data gate has not passed, or the tokens of a row differ from its text or from the prompt of
            serving.
        InputError: No row is left, or the tokenizer's chat template cannot be used.
    """
    require_gate(layout, "data")
    print_progress("tokenise", "reading the rows")
    model, split = layout.artefacts("base_model") / "model", layout.artefacts("split")
    tables, aside = training_tables(split), set_aside.read_indices(split, VALIDATION_FILE)
    calibration = frozenset(set_aside.read_indices(split, CALIBRATION_FILE).tolist())
    import_speed.hide_libraries("torch")
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    stops = stop_token_ids(tokenizer, model)
    with atomic_folder(layout.artefacts("tokenise")) as folder:
        validation, upcoming, left_out = array("q"), iter(aside), 0
        next_aside = next(upcoming, None)
        with ExampleWriter(folder, len(tokenizer)) as writer:
            made_of_records = (
                made for table in tables for made in tokenise_table(table, params.prompts, tokenizer, stops)
            )
            for place, made in enumerate(made_of_records):
                if place in calibration:
                    continue
                if place == next_aside:
                    validation.extend(range(writer.count, writer.count + len(made)))
                    next_aside = next(upcoming, None)
                left_out += not made
                for example in made:
                    writer.add(example)
            writer.finish(digest_inputs(layout, params.prompts), validation)
        if left_out:
            like = f"a sign of the tokenizer, like {tokenizer.eos_token}"
            print(f"{left_out:,} records left out: {like}, stands in their words", flush=True)
        if not writer.count:
            raise InputError("no row is left to train on; artefacts/split/result.json says where they went")
        print_progress("tokenise", "comparing them with what serving will ask")
        made_rows = examples.map_examples(folder)
        row_verification.verify_rows(made_rows, tables, params.prompts, tokenizer, stops, calibration)
        result = Result(
            rows=writer.count,
            validation_rows=len(validation),
            tokens=writer.tokens,
            target_tokens=writer.targets,
            longest=writer.longest,
            left_out=left_out,
        )
        write_json(folder / "result.json", {"facts": facts.facts_to_json(result.facts()), **result.model_dump()})
    return result


def tokenise_table(
    table: Path, prompts: Mapping[str, Prompt], tokenizer: Any, stop_ids: set[int]
) -> Iterator[list[Example]]:
    """Yield the examples of each record in a table, in the order of the table.

    A record whose text contains a special token has no examples. The table has the schema
    `tasks.core.records.record.SCHEMA_SCHEMA`.
    """
    signs = SpecialTokens(tokenizer)
    progress, done = ProgressReporter("tokenise", pq.read_metadata(table).num_rows), 0
    for part in record.read_batches(table, RENDERED_COLUMNS, ROWS_PER_BATCH):
        for row in part.to_pylist():
            yield [] if signs.occur_in(row, prompts) else tokenise_record(row, prompts, tokenizer, stop_ids)
        done += part.num_rows
        progress.report(done)


def training_tables(split: Path) -> list[Path]:
    """Return the tables that are trained on: the training rows, then the canaries if there are any."""
    canaries = split / CANARIES_FILE
    return [split / "train.parquet", *([canaries] if canaries.exists() else [])]


def digest_inputs(layout: Layout, prompts: Mapping[str, Prompt]) -> TokensOrigin:
    stated = {name: prompt.model_dump(mode="json") for name, prompt in prompts.items()}
    split = layout.artefacts("split")
    calibrates = len(set_aside.read_indices(split, CALIBRATION_FILE)) > 0
    canaries = split / CANARIES_FILE
    return TokensOrigin(
        data=sha256_file(split / "train.parquet"),
        validation=sha256_file(split / VALIDATION_FILE),
        calibration=sha256_file(split / CALIBRATION_FILE) if calibrates else "",
        prompts=sha256_bytes(canonical_json(stated)),
        model=read_json(layout.artefacts("base_model") / "result.json")["model_sha256"],
        canaries=sha256_file(canaries) if canaries.exists() else "",
    )
