"""Synthetic messages to a bank, with the triage that an expert would give: the sample use case.

generate.py   the command: python -m examples.support_triage.generate --seed 7 --out DIR
phrases/      what people write: catalogue.yaml (which intents there are and what follows), en.yaml, de.yaml
              personal/: sentences in which they let slip what is about people, or secret
grammar.py    a phrase of alternatives as one text
numbers.py    numbers and keys with right check digits, from ranges that nobody has been given
marks.py      where such a value stands in a text, whatever is done to the text
personal.py   a message with such a sentence
cases.py      which intent, twist and language a message has, and so its triage
compose.py    a case as a ticket, a chat or an e-mail
mess.py       typos, casing, emoji, entities
defects.py    rows that are wrong on purpose
planting.py   where these go, and the table that says so
sources.py    the three files and their formats
data/         what seed 7 gives, committed; inventoried in infra/governance/sources.yaml. truth.csv says what was
              planted and where; tests use another seed and other sentences (tests/examples/unseen)
"""
