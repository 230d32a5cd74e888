"""Chapter about access to personal data."""

from tasks.audit.artifacts import ArtifactCollection
from tasks.audit.chapters import make_chapter
from tasks.audit.dossier import Chapter, Table
from tasks.audit.release_facts import ReleaseFacts
from tasks.core.formatting import format_count
from tasks.ledger.ledger import Entry

ACCESS_DESCRIPTIONS = {"vault.read": "a record, with what its tokens stand for",
                       "source.read": "a row, as its source has it",
        "person.sought": "where a person is"}  # fmt: skip


def data_access_chapter(facts: ReleaseFacts, collection: ArtifactCollection) -> Chapter:
    looks = facts.data_accesses.entries
    table = Table(
        caption="Looks at personal data in this environment, newest first",
        columns=["Who", "Looked at", "Which", "Source of this release", "Reason", "When (UTC)", "Entry"],
        rows=[_access_row(entry, facts) for entry in looks],
    )
    if not looks:
        text = "The ledger has no look at a record of a source, into the vault, or for a person."
        return make_chapter(9, "looked", "Who looked at personal data", [table], [("looks", text, [])])
    more = f", the newest {len(looks)} of more" * bool(facts.data_accesses.stopped_at)
    who = ", ".join(sorted({str(entry.body.get("person")) for entry in looks}))
    count = format_count(len(looks), "look")
    text = f"{count}{more} at personal data, by {who}: each was recorded before anything was shown."
    return make_chapter(9, "looked", "Who looked at personal data", [table], [
        ("looks", text, [collection.add_entry(entry) for entry in looks]),
    ])  # fmt: skip


def _access_row(entry: Entry, facts: ReleaseFacts) -> list[str]:
    said = entry.body
    sources = {origin.sha256: name for name, origin in facts.contents.dataset.sources.items()}
    which = "–" if entry.kind == "person.sought" else entry.subject
    source = sources.get(str(said.get("sha256")), "–")
    who, why = str(said.get("person")), str(said.get("reason"))
    time = f"{entry.time:%Y-%m-%d %H:%M:%S}"
    return [who, ACCESS_DESCRIPTIONS.get(entry.kind, entry.kind), which, source, why, time, str(entry.seq)]
