"""Synthetic messages to a bank, with the triage that an expert would give: the sample use case.

generate.py   the command: python -m examples.support_triage.generate --seed 7 --out DIR
phrases/      what people write: catalogue.yaml (which intents there are and what follows), en.yaml, de.yaml
grammar.py    a phrase of alternatives as one text
cases.py      which intent, twist and language a message has, and so its triage
compose.py    a case as a ticket, a chat or an e-mail
mess.py       typos, casing, emoji, entities
defects.py    rows that are wrong on purpose, and the table that says which
sources.py    the three files and their formats
data/         what seed 7 gives, committed; inventoried in infra/governance/sources.yaml
"""
