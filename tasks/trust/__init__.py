"""Signed documents, keys, and what counted when.

keys.py            OpenSSH ed25519 keys
ed25519.py         which points are keys
hardware.py        those in a FIDO2 authenticator, and the form of their signatures
passkey.py         those that a browser has an authenticator sign with
signing.py         which of them signs: a file, with a passphrase or without, or the agent
ssh_agent.py       a running ssh-agent
model_key.py       the key that signs models, of another kind
validity.py        keys and roles that count for a time, and statements judged by the keys that counted then
dsse.py            signed in-toto statements with one spelling
unchanged.py       whether what was signed is still asked
gate_statement.py  gates/NAME.json, as stages and promotion read it
stage_record.py    what a stage read and left, as its supervisor signs it
keyholder.py       whose keys sign for the ledger: all that it knows of policy
"""
