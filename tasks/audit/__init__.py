"""Dossier of a release: its history, with evidence for each claim, for auditors who do not trust the platform.

release_facts.py         facts about the release, from its folder and the ledger
adoption_history.py      policy in force at the promotion, and later adoptions
dossier.py               document types: chapters, claims, tables, artifacts
artifacts.py             artifacts that claims refer to, with digests and proofs
entry_proofs.py          comparison of ledger entries with their inclusion proofs
chapters.py              chapters from the run request to the promotion
decisions.py             chapter about decisions and policy
later_events.py          chapter about events after the promotion
data_access.py           chapter about access to personal data
timeline.py              the history in a few dated lines
gaps.py                  missing evidence
controls.py              controls of compliance frameworks, and the claims that are evidence for them (controls.yaml)
html_page.py             HTML page
archive.py               folder and zip file with page and artifacts
dossier_signature.py     signed statement with the digests of all files of a dossier
dossier_verification.py  verification of a dossier, given only its folder and a root key fingerprint
folder_verification.py   verification of a received folder, which is a release, a dossier or an export
"""
