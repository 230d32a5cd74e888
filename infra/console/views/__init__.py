"""Content of each page as a typed document, from which its HTML, JSON and CSV are generated.

inbox.py               open gates, beginning with those that wait for the person
gate.py                one gate: evidence, checks, decisions so far, and decisions that the person may make
checks.py              checks of a gate
gate_dataset.py        sources and distributions in the evidence of a data gate
runs.py                list of runs, and one run
artefacts.py           files that the stages of a run wrote, with their signed digests
training.py            loss curve of a training run
free_text.py           access to free text that a run's code wrote
log.py                 log of a run
run_comparison.py      differences between two runs, and the form to select them
evaluation.py          metrics of an evaluation, with intervals
run_pages.py           evaluation report and Data Docs of a run
evidence_files.py      comparison of a run's files with the digests in a gate's evidence
rows.py                quarantined rows, protected values and contradictions of a run
wrong_answers.py       wrong answers of a run's models to the test rows
releases.py            list of releases, and the releases in production at a given time
release.py             one release, verified again, and a rollback to it
release_comparison.py  differences between two releases
audit.py               twelve questions of an auditor about a release
data.py                list of sources, with their quality in the last runs
lineage.py             datasets, runs and releases that contain a record
schedules.py           schedules and triggers, with their past and next occasions
ledger.py              list of ledger entries, and one entry
signing_form.py        form of a statement that is signed in the browser
waivers.py             list of waivers
incidents.py           list of incidents, and one incident
policy.py              policy in words, people, and adoptions
key.py                 key with which a person's browser signs
"""
