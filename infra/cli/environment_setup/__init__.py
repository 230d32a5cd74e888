"""`hallmark init --environment NAME`: a checkout becomes that of an environment other than `local`.

command.py           the steps in order, each shown as it is done
plan.py              answers from the command line and the terminal, and their check
given_people.py      people and public keys from a file
questions.py         questions about people at a terminal
file_names.py        files that an environment changes
named_people.py      people whom these files name, and who could take over from those who leave
first_keys.py        where each key is from, and machine keys that nobody named
file_texts.py        texts of params.yaml and of the governance files
file_checks.py       checks of these texts and of the people
root_key.py          root key in a file outside of the checkout
adopting.py          adoption in force, and the adoption with the root key
remaining_work.py    settings, and what is left: who types what
"""
