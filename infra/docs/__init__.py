"""Documentation site. `make docs` builds it from docs/ and from reference pages that are generated from the code.

    hooks.py     hooks that MkDocs calls (mkdocs.yml)
    pages.py     table of all generated pages, by path
    schema.py    pydantic models of settings files, as tables of their keys
    cli.py       page about the commands
    rules.py     page about the rules by which data stages remove rows
    ledger.py    page about the kinds of ledger entries
    settings.py  page about the environment variables
    formats.py   page about the JSON Schemas in docs/formats/
    code.py      page about the packages of the code
    markdown.py  Markdown tables, cells, anchors and paragraphs

Only hooks.py imports MkDocs, so tests can read the pages without building the site.
"""
