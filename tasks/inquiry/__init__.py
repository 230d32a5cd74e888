"""Questions about data, for those who may ask them. Each look at what is readable is on the ledger first.

access.py           who may look at single records
looks.py            who looked at what is readable, and why
disclose.py         one record, or one row, as its source had it
reread.py           a row, read from its source again
put_aside.py        what the stages of a run took out, for who answers for it
masked.py           samples of what was masked
records_changed.py  which records two datasets share
inventory.py        what is known of each source
vaulted.py          whether the vault still knows a run's tokens
lineage/            where a record is, and a person
conflicts/          records that contradict each other, side by side
planted/            how much of what a drill planted was found
"""
