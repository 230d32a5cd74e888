"""Which record is in which dataset, and which records a person is in: an index that answers in milliseconds.

tables.py  the tables of the index, and what each column means
build.py   writes them
ask.py     where a record is, where a person is, what is in a dataset
person.py  where a person is, for who may look, on the ledger before the answer
"""
