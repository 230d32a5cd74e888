"""What each page shows, as a typed document: the page's HTML, its JSON and its CSV are made of it.

inbox.py      the gates that wait for somebody
gate.py       one gate: what it looked at, where it stands, and what a person may do
runs.py       every run of this checkout, and one
files.py      the evaluation report and the Data Docs of a run
releases.py   every release, one with its verification, and what was in production at a moment
changes.py    what changed from one release to another
audit.py      the auditor's twelve questions about a release
data.py       every source, and what the last runs made of it
schedules.py  schedules and triggers, and what comes next
ledger.py     entries of the ledger, and one
incidents.py  incidents, and one
policy.py     the policy in words, and who is who
key.py        the key that a person's browser signs with
"""
