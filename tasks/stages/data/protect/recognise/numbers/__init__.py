"""Identifiers that have a form: one kind a file. Start with `iban`, the pattern of all of them."""
