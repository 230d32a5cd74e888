"""Which record is in which dataset, and which records a person is in: an index that answers in milliseconds.

form.py    the files of the index, and what each number in them means
build.py   writes them, and writes anew what an earlier version wrote wrongly
ask.py     where a record is, where a person is, what is in a dataset
person.py  where a person is, for who may look, on the ledger before the answer
"""
