"""From sources to a training and a test set: a folder a stage, in this order.

    ingest/           sources to records
    clean/            texts that are empty, too short or too long
    deduplicate/      duplicates, older versions, conflicts, what a fixed test set holds
    validate/         the data owners' suites
    split/            no prompt on both sides, nor one that is near-identical
    readers/          a source's bytes, and its rows, one file a kind
    protect/          what is about people, or secret, found and replaced
    text.py           one spelling for a text; broken formatting repaired
    json_text.py      JSON within texts, read alike everywhere
    conversations.py  the turns of many records at once
    quarantine.py     what a stage took out, and counts that add up

What is removed is never dropped: each stage writes quarantine.parquet with the rule and the reason.
"""
