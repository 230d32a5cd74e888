"""Readers of sources, one for each file format.

    formats/           readers, one file each
    kinds.py           lookup of the reader for each kind of source, and the rows of a source
    conversations.py   conversations, joined from the messages that a reader yields
    message_times.py   times of messages, as numbers by which they are ordered
    rows.py            definition of a reader, and of the rows that it yields
    content.py         content of a local file or S3 object, checked against its pinned SHA-256
    s3_objects.py      S3 objects, with errors that explain the store's answers
    sqlite_rows.py     rows of a query of a SQLite file
    postgres_rows.py   rows of a query of a Postgres database
    sql_query.py       check that a query is one SELECT with an order
    sql_lines.py       rows of a database as JSON Lines
    folder_stream.py   files of a folder as one stream, a tar archive
    documents.py       documents of a source: the files of a folder or archive, or its only file
    dataset_folder.py  splits and files of a Hugging Face dataset's folder
    arrow_streams.py   Arrow's IPC format, checked before pyarrow reads it
    arrow_rows.py      rows of an Arrow batch as Python values
    sections.py        rows of documents: one for each heading with text below it
    html_events.py     elements and text of a page in HTML, without those that are not content
    html_text.py       text of a page in HTML, without navigation and scripts
    docx_text.py       text of the XML parts of a .docx
    pdf_worker.py      process that reads PDF documents
    pdf_pages.py       pages of a PDF document, read in that process within limits of time and memory
    gzip_content.py    gzip, unpacked up to the source's limit
    decoding.py        decoding of bytes to text, or an error that says what the bytes are
    columns.py         check for the columns that the mapping needs
    mailboxes.py       messages of an .eml or mbox file
    mail_messages.py   mail message, parsed into author, time, text and the messages that it answers
    mail_threads.py    threads of mail, by the message ids that messages refer to
    mail_html.py       text of a message in HTML
    quoted_replies.py  text of a message without quoted messages and signature
    transcript_turns.py  turns of a transcript in WebVTT, SRT or plain lines
    delimiters.py      check of the declared delimiter
    limits.py          limits on the size of a source
    parquet_pages.py   unpacked sizes of the pages of a Parquet file
    bounded_tables.py  tables that a run's own code wrote, read outside the sandbox within bounds
    parquet_sizes.py   memory that Parquet values need in Python

To add a format, add a file with a `READER` to formats/, and a line to `tasks.core.steps.kinds`.
"""
