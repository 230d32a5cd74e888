"""What each page shows, as a typed document: the page's HTML, its JSON and its CSV are made of it.

inbox.py      the gates that wait for somebody
gate.py       one gate: what it looked at, where it stands, and what a person may do
checks.py     the checks of a gate
dataset.py    what a data gate looked at, source by source
runs.py       every run of this checkout, and one
artefacts.py  every file that the stages of a run left, as it was signed
training.py   the loss of a training
hearing.py    who may see what the code of a run says in words of its own
log.py        what a run logged, for who may read it
compared.py   what differs between two runs, and a form that picks them
evaluation.py what came out of an evaluation, with intervals
files.py      the evaluation report and the Data Docs of a run
looked_at.py  whether a file of a run is the one that a gate looked at
rows.py       the rows of a run: put aside, masked, contradicting each other
releases.py   every release, and what was in production at a moment
release.py    one release, verified anew, and whether it may be champion again
changes.py    what changed from one release to another
audit.py      the auditor's twelve questions about a release
data.py       every source, and what the last runs made of it
where.py      everything that a record is in
schedules.py  schedules and triggers, and what comes next
ledger.py     entries of the ledger, and one
asked.py      what a page gives its browser, so that it signs what the page shows
waivers.py    failed checks that somebody let pass, until when
incidents.py  incidents, and one
policy.py     the policy in words, and who is who
key.py        the key that a person's browser signs with
"""
