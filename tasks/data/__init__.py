"""From sources to a training and a test set: stages `ingest`, `clean`, `deduplicate`, `validate` and
`split`, in this order.

    pin.py           what a run will read, fixed before its first stage
    readers/         a source's bytes, and its rows, one file a kind
    text.py          one spelling for a text; broken formatting repaired
    json_text.py     JSON within texts, read alike everywhere
    mapping.py       a row as a record, or why it cannot be one
    ingest.py        stage: sources to records
        kept.py          what was made of a source that has not changed since
        reading.py       one source, read
        intake.py        a batch of rows as records, or why not
        protect/         what is about people, or secret, found and replaced
        pool.py          batches on several processes, results in order
        cores.py         how many of them the machine lets run at once
    clean.py         stage: texts that are empty, too short or too long
    deduplicate.py   stage: duplicates, older versions, conflicts, what a fixed test set holds
        compared.py      the records as columns
        asked.py         what the prompts say of those that stand near others
        preference.py    which of several records is kept
        duplicates.py    exact duplicates
        near/            near-identical texts
        neighbours.py    records that stand near each other
        verdicts.py      which of them go, and for which other
    validate.py      stage: the data owners' suites
        frame.py         records as the table that expectations are about
        ages.py          … how old they are, against what their source promises
        outcomes.py      … and what became of every row of the sources
        questions.py     what a suite asks, as Great Expectations' own objects
        own_expectations/  expectations that it has not
        leftovers.py     what the recognisers still find in protected texts
        expectations.py  suites asked, and results without values of records
        checked.py       what is said of a suite
        docs/            Data Docs
    split.py         stage: no prompt on both sides, nor one that is near-identical
        placed.py        the records as columns, and which of them belong together
        sides.py         which side a record stands on
        draw.py          some records of many, by source and kind
        manifest.py      what the dataset is made of
    lineage/         where a record is, and a person
    records_changed.py  which records two datasets share
    inventory.py     what is known of each source
    put_aside.py     what the stages of a run took out, for who answers for it
    access.py        who may look at single records
    disclose.py      one record, or one row, as its source had it
        reread.py        a row, read from its source again
    conflicts/       records that contradict each other, side by side
    planted/         how much of what a drill planted was found
    vaulted.py       whether the vault still knows a run's tokens
    conversations.py the turns of many records at once
    quarantine.py    what a stage took out, and counts that add up

What is removed is never dropped: each stage writes quarantine.parquet with the rule and the reason.
"""
