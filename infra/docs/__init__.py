"""The documentation site: `make docs` builds docs/ and these pages, which are written from the code at build time.

    hooks.py      what MkDocs calls (mkdocs.yml)
    generated.py  every generated page by its path
    schema.py     a settings file, as tables of its keys
    cli.py        the commands
    ledger.py     the kinds of ledger entries
    settings.py   the environment variables
    formats.py    the JSON Schemas in docs/formats/
    code.py       the rooms of the code
    text.py       Markdown tables

Nothing but hooks.py imports MkDocs, so tests read the pages without building the site.
"""
