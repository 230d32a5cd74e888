"""The dossier of a release, for somebody who trusts nobody: what happened, in order, each claim beside its evidence.

record.py     everything that is known of the release, from its folder and the ledger
dossier.py    what a dossier consists of: chapters, claims, artifacts
shelf.py      the artifacts, numbered and digested as claims name them
chapters.py   the story, told from the record
since.py      its last chapter: what came after the promotion
timeline.py   the same in a few lines with times
gaps.py       what is missing
controls.py   which controls the claims are evidence for (controls.yaml)
page.py       the dossier as one HTML page
archive.py    page and artifacts as a folder and as one zip file
"""
