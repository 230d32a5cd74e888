"""The dossier of a release, for somebody who trusts nobody: what happened, in order, each claim beside its evidence.

record.py     everything that is known of the release, from its folder and the ledger
policies.py   of that, the policy in force at its promotion and what was adopted later
dossier.py    what a dossier consists of: chapters, claims, artifacts
shelf.py      the artifacts, numbered and digested as claims name them
entries.py    whether an entry of the ledger is the one that its proof is about
chapters.py   the story, told from the record
decisions.py  its chapter about who decided, under which policy
since.py      its chapter about what came after the promotion
looked.py     its last chapter: who looked at personal data
timeline.py   the same in a few lines with times
gaps.py       what is missing
controls.py   which controls the claims are evidence for (controls.yaml)
page.py       the dossier as one HTML page
archive.py    page and artifacts as a folder and as one zip file
signed_dossier.py  the statement that signs all files of a dossier
checked.py    a dossier checked from its folder and one fingerprint
"""
