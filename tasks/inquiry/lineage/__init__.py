"""Index of the records of each dataset and of the people that they mention. It answers in milliseconds.

tables.py         tables of the index, and the meaning of their columns
indexing.py       addition of a dataset to the index
queries.py        queries for records, people and datasets
person_search.py  search for a person, with access control and a ledger entry
"""
