"""People who are to be forgotten: what was signed about them, and the effect on runs and releases.

The work itself is done in `tasks.erase`. This room has what runs and promotions ask for.

place_kinds.py       kinds of places in which something about a person can be
signed_documents.py  signed request, decisions and certificate of an erasure
deciders.py          people who may decide about an erasure and certify it
cases.py             erasures with their requests, decisions, steps and certificates, from the ledger
in_force.py          digests that `ingest` leaves out, and releases that were trained on an erased record
"""
