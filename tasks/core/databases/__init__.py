"""SQL databases: connections, schema versions, and repair of SQLite files.

secure_removal.py    removal of rows so that their bytes are gone
sqlite_journals.py   removal of SQLite journals that name a super-journal
addresses.py         addresses of Hallmark's Postgres databases, and which must be encrypted
postgres_options.py  options in the query of a Postgres URL
database.py          SQLite and Postgres engines with one writer at a time
migrations.py        schema versions of databases, and migration from older ones
mlflow_database.py   atomic creation of MLflow's tables in a SQLite file
"""
