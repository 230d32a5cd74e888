"""Documents and settings: YAML and JSON, and the pydantic models that they are read into.

yaml_text.py   YAML parser with limits on size, number of values and depth
yaml_edit.py   changes of YAML files that keep comments and layout
config.py      loading of YAML into frozen pydantic models, with all errors reported at once by file and line
field_docs.py  docstrings of pydantic fields, which become the descriptions in JSON schemas
document.py    base class of signed or digested documents, which keep the bytes that they were read from
"""
