"""Removal of all that Hallmark holds about a person. The command group is `hallmark erase`.

    request   the person's records are found, and who verified their identity signs for it
    plan      every place with something about the person, by kind
    decide    for each kind, somebody signs that it is deleted, kept until a day, or that a release is replaced
    execute   the decisions are carried out; the execution can be interrupted at any moment and then goes on
    verify    all bytes are searched for the person
    certify   somebody signs what was erased, what is kept and why

subject.py              the person, in the vault's encrypted document of an erasure
find_subject.py         records about a person
mentions.py             tokens in records
attribution.py          question whether all of these records are about the same person
requests.py             request of an erasure
kept_texts.py           texts that must not name the person
erasure_lock.py         lock that lets one command at a time change an erasure
places.py               places of one kind, for a plan
present_places.py       functions that find the places of each kind
plan.py                 places with something about the person
affected_runs.py        runs and datasets that have a record of the person
checkpoints.py          checkpoints that may come from a record of the person
decisions.py            decisions by kind
execution.py            the steps of an execution
executing_runs.py       runs that execute meanwhile, here and on other machines
steps.py                one function for each step
release_marks.py        marks of releases in the ledger
remote_outputs.py       outputs of runs in DVC's remote
index_removal.py        removal of records from the index of lineage
name_orders.py          other orders of the words of a name
spellings.py            patterns that find a value in its usual spellings and encodings
search_terms.py         search of bytes for values, tokens and record ids
file_contents.py        bytes of a file, and of what it packs
searched_files.py       files that a search reads, and the list of what it could not read
verification.py         search of all files of the checkout, and of the sources
leftovers.py            removal of files that no run names any more
conditions.py           conditions of a certificate
certificate_content.py  content of a certificate
certificates.py         certificate, and its adoption where an older backup was restored
"""
