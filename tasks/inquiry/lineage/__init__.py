"""Index of the records in each dataset and of the people whom they mention. Queries take milliseconds.

tables.py         tables of the index, and the meaning of their columns
indexing.py       addition of a dataset to the index
queries.py        queries for records, people and datasets
person_search.py  search for a person, with access control and a ledger entry
"""
