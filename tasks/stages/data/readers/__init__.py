"""Reading sources, whatever they are.

    kinds.py      the reader of each kind
    rows.py       what a reader hands on: rows and malformed rows
    content.py    the bytes, from a local file or S3, checked against their pinned SHA-256
    store.py      an object of S3, and what the store's answers mean
    gzipped.py    unpacked, as far as the owner allows
    decoding.py   bytes to text, or what they are instead
    columns.py    the columns that a mapping needs
    delimiters.py what separates columns, where it is not what was declared
    limits.py     how much a source may hold
    csv_reader.py, jsonl_reader.py, parquet_reader.py    one file a kind
    parquet_pages.py, parquet_sizes.py    what Parquet unpacks to, known before it does

A new kind is one file with a `read` of type `rows.Reader`, a line in kinds.py, and its name in
`tasks.sources.sources.Source.kind`.
"""
