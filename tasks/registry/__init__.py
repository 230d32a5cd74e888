"""From a run's package to a release that anybody can check. Read in this order:

package.py       stage: what a release consists of, fixed so that people can decide on exactly that
manifest.py      its digests of inputs, code and every earlier stage
identity.py      what makes two candidates the same
model_card.py    the card, in Hugging Face form
ml_bom.py        the bill of materials, as a CycloneDX ML-BOM

candidate.py     a run's package with all its gates, looked at again before promotion
looked_at.py     whether it was made from exactly what its gates looked at
consent.py       whether the owners of its sources still give them
promotion.py     promote, and finish or undo what a crash left
intents.py       what a promotion writes down before it starts
bases.py         the base models that releases are adapters of, kept
bundle.py        a release as a folder: payload and attestations
waivers.py       what a release was let through on, and what of that has expired
rollback.py      back to an earlier champion
orders.py        who may order that, and what they sign
glass.py         one person alone in an emergency, and the second who confirms it
succession.py    the chain of signed promotion statements: which release is in production
recovery.py      what a crash left of a promotion, finished or undone
mirror.py        MLflow's registry, which shows it to people and tools

notices.py       what is told to people outside, entry by entry of the ledger
champion.py      the release in production, as runs compare with it
releases.py      every release, for people
told.py          what a release says of itself, read for people
difference.py    what changed between two releases
history.py       what was in production at a moment of the past, and who had decided it

contents.py      what lies in a release's folder, read once
trust.py         whose signatures count, and from what that follows
verification.py  check a release from its folder and one fingerprint
attestations.py  what stands beside its payload, parsed
attested.py      gates, evidence and decisions, held against each other
forms.py         the standard forms, held against them
left_out.py      a copy without its weights, which says so
recorded.py      proof that the promotion stands in the ledger
report.py        what a verification found, for people and machines

asking.py        how a release is asked, so that it answers as when it was evaluated
admission.py     `admit`, the only way to a model for serving
remembered.py    what was admitted last, for when the ledger is away
rolled_back.py   a ledger that ends before what was admitted last
undelivered.py   what was served then, kept to be recorded

gate_results.py     a gate as an in-toto test result
provenance.py       where a release comes from, as SLSA provenance
summary.py          that it was let into production, as an SLSA verification summary
model_signature.py  OpenSSF Model Signing over its payload
"""
