"""Guesses with their reasons, and warnings. Both are shown to the user before any file is written."""

import shlex
from collections.abc import Iterator
from typing import Any

from tasks.core.formatting import format_share
from tasks.scaffold import governance_files, parameters
from tasks.scaffold.data_file import DataFile
from tasks.scaffold.mapping import GuessedMapping
from tasks.scaffold.parameters import PlannedSplit
from tasks.scaffold.sample_statistics import SampledFile, SampleStatistics
from tasks.sources.protection import Category, Protection
from tasks.stages.data.readers.kinds import reader_of

Guesses = list[tuple[str, str]]
RARE_LABEL_ROWS = 5
"""Minimum number of rows of each label. The user is warned about labels with fewer rows, because all of these rows
could be in the test partition."""


def explain_params(sample: SampleStatistics, split: PlannedSplit) -> Guesses:
    form = parameters.target_form(sample)
    why = {
        "json": "every answer is a JSON object",
        "label": f"{len(sample.targets)} answers that come again and again",
        "text": "answers hardly repeat: exact match says little of them",
        "none": "documents become plain texts, for continued pretraining",
    }[form]
    return [
        (f"answers are {'free text' if form == 'text' else form}", why),
        (
            f"about {split.train_records:,} rows to train on, {split.test_records:,} to test on",
            f"test_share {split.test_share:g} of {sample.distinct_prompts:,} prompts"
            if split.test_share
            else "the test file is the whole test set",
        ),
        ("success metrics", "proposed; agree on them before training"),
        ("model and training", "as in the checkout's params.yaml"),
    ]


def describe_format(file: DataFile) -> str:
    source, reader = file.source, reader_of(file.source.kind)
    form = f"{source.kind}, {file.rows:,} rows" + f", {source.encoding}" * reader.is_text
    return form + f", columns apart by {source.delimiter!r}" * reader.has_header


def explain_source(guessed_mapping: GuessedMapping, train: SampledFile) -> Guesses:
    left_out = train.file.left_out
    guesses = [(describe_format(train.file), "most of the folder's files" if left_out else "read off the file")]
    if left_out:
        guesses.append((f"left out: {left_out}", "hidden, or of another kind; give those a source of their own"))
    for key, value in guessed_mapping.columns_by_key.items():
        guesses.append(
            (f"{key}: {', '.join(value) if isinstance(value, dict) else value}", guessed_mapping.reasons[key])
        )
    guesses += [
        (f"language: {language}", "common words of it")
        for language in governance_files.language_constants(guessed_mapping, train.sample).values()
    ]
    return guesses + [(f"{name!r} is not read", why) for name, why in guessed_mapping.unused_columns.items()]


def explain_suite(suite: dict[str, Any]) -> Guesses:
    return [(_describe_expectation(each), each["why"]) for each in suite["expectations"]]


def _describe_expectation(expectation: dict[str, Any]) -> str:
    kwargs = expectation["kwargs"]
    said = ", ".join(f"{key} {_shortened_value(value)}" for key, value in kwargs.items() if key != "column")
    about = f"{kwargs['column']}: " if "column" in kwargs else ""
    return f"{about}{expectation['type'].removeprefix('expect_').replace('_', ' ')}" + f" ({said})" * bool(said)


def _shortened_value(value: Any) -> str:
    return f"{len(value)} values" if isinstance(value, list) and len(value) > 2 else str(value)


MAX_NAMED_LABELS = 5
MAX_NAMED_CHARS = 40
"""Maximum length of a label that a warning names."""


def list_warnings(guessed_mapping: GuessedMapping, train: SampledFile, personal: dict[str, Category]) -> list[str]:
    data_file, sample = train
    rows, unspoken = (
        sample.records,
        not governance_files.language_constants(guessed_mapping, sample)
        and "language" not in guessed_mapping.columns_by_key,
    )
    rare = sum(count < RARE_LABEL_ROWS for count in sample.targets.values()) if sample.labels else 0
    said = list(_row_warnings(train))
    if sample.repeated_records > 0.1 * rows:
        said.append(f"{sample.repeated_records:,} of {rows:,} rows say what another says; the data gate takes 15 %")
    if sample.contradicting_targets and parameters.target_form(sample) not in ("text", "none"):
        several = "questions that are answered in several ways; after a run `hallmark data conflicts` shows them"
        said.append(f"{sample.contradicting_targets:,} {several}")
    if nested := guessed_mapping.unused_nested_columns:
        columns = [guessed_mapping.columns_by_key["response"], *nested]
        options = " ".join(f"--response {shlex.quote(column)}" for column in columns)
        said.append(f"{', '.join(nested)}: objects or lists, not read; if the model is to answer them too: {options}")
    if sample.has_plain_texts:
        said.append(
            "plain texts do not show what a model answers: before a run, add a source of questions and answers with "
            "`split: test` to sources.yaml, and its task to `prompts`. If two columns do ask and answer, say so: "
            "--prompt heading --response text"
        )
    if rare:
        said.append(
            f"{rare:,} labels have fewer than {RARE_LABEL_ROWS} rows: one that is tested and not trained fails the "
            "data gate; `data.untrained_labels: quarantine` in params.yaml leaves its rows out of the test"
        )
    said += _near_equal_warnings(sample)
    if unspoken:
        said.append("no language was recognised; personal data is looked for in English and German text alone")
    if data_file.source.encoding == "cp1252":
        said.append("it is no UTF-8, so cp1252 was guessed; if umlauts and accents are wrong, say --encoding")
    return said + list(_personal_warnings(sample, personal))


def list_test_warnings(train: SampleStatistics, test: SampledFile) -> list[str]:
    said = [f"test file: {warning}" for warning in _row_warnings(test)]
    if train.labels and (unknown := set(test.sample.targets) - set(train.targets)):
        said.append(
            f"{len(unknown):,} answers of the test file are no answer of the file to train on; a label that is tested "
            "and not trained fails the data gate, and `data.untrained_labels: quarantine` leaves its rows out"
        )
    return said


def _row_warnings(sampled: SampledFile) -> Iterator[str]:
    file, sample = sampled
    if file.malformed:
        share = format_share(file.malformed / file.rows)
        yield f"{file.malformed:,} rows cannot be read ({share}); the data gate takes 3 % as it stands"
    if sample.rejected_rows:
        rules = ", ".join(f"{rule} {count:,}" for rule, count in sample.rejected_rows.most_common())
        yield f"rows that become no record: {rules}"


def _near_equal_warnings(sample: SampleStatistics) -> Iterator[str]:
    near = sample.near_equal_labels
    named = [
        f"{label!r} and {other!r}"
        for label, other in near.items()
        if not {label, other} & sample.personal_values and max(map(len, (label, other))) <= MAX_NAMED_CHARS
    ]
    if near:
        shown = f": {', '.join(named[:MAX_NAMED_LABELS])}" if named else ""
        yield (
            f"{len(near):,} labels nearly equal a more frequent one, as misspelt ones do{shown}; if they are, correct "
            "the file. After a run `hallmark data labels` shows all with their rows"
        )


def _personal_warnings(sample: SampleStatistics, personal: dict[str, Category]) -> Iterator[str]:
    """Yield warnings about personal data in labels, and in the answers if the model may be meant to find such data."""
    if sample.personal_values:
        yield (
            f"{len(sample.personal_values):,} recurring answers, departments or languages look like names or numbers "
            "of people; the suite does not list them, and `ingest` replaces them as `protect` says"
        )
    protect = Protection()
    for name, category in personal.items():
        if (action := protect.action_for(category)) != "keep":
            yield (
                f"the field {name!r} is personal by its purpose, and `protect` says {action}: the model learns with "
                f"placeholders in its place. One that has to see what stands there needs {category}: keep"
            )
    if sample.distinct_values_by_field and not personal:
        yield (
            f"answers have the fields {', '.join(sample.distinct_values_by_field)}; if one is personal by its purpose, "
            "such as a name to be found, say so (`personal` in sources.yaml): "
            "what recognisers miss of it stays readable"
        )
