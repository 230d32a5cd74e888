"""Kinds of ledger entries about rounds of labels. The subject of an entry is the round's id.

Entries have digests of documents in `.hallmark/labels/ROUND/`. They name neither annotators nor how much one has done:
everybody who reads the ledger would see the workload and speed that only the person who leads the round may see.
"""

STARTED = "labels.started"
EXPORTED = "labels.exported"
IMPORTED = "labels.imported"
ADJUDICATED = "labels.adjudicated"
FINISHED = "labels.finished"
DIGEST = "sha256"
"""Key of a document's digest in the body of each entry."""
REVIEW_OF = "review_of"
"""Key of the run whose answers are compared in the body of the entry that starts an expert review."""
