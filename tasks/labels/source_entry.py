"""Entry of sources.yaml for the result of a round, for the person who declares it as a source."""

from collections.abc import Sequence
from pathlib import Path

from tasks.core.escaping import escaped_json
from tasks.labels.finish import ExpertRow


def source_entry_lines(rows: Sequence[ExpertRow], location: Path) -> list[str]:
    """Return the lines of an entry that follow from the result. Its owner adds owner, access, terms and the rest.

    `labels` lists the provenance texts, since `protect` takes any other text in `labelled_by` for a person's name.
    """
    provenance = sorted({row.labelled_by for row in rows})
    return [
        "kind: jsonl",
        f"location: {escaped_json(str(location))}",
        "mapping: {prompt: text, response: label, labelled_by: labelled_by}",
        "constants: {task: TASK, origin: expert}",
        "labels:",
        "  labelled_by:",
        *(f"    - {escaped_json(text)}" for text in provenance),
    ]
