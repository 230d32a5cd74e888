"""Keys, signatures and signed documents.

keys.py              OpenSSH ed25519 keys in files
ed25519.py           validation of ed25519 public keys
hardware_key.py      OpenSSH keys in a FIDO2 authenticator
passkey.py           WebAuthn keys, with which people sign in a browser
signing_keys.py      choice of the key that signs for a person: a file or the ssh-agent
ssh_agent.py         client of a running ssh-agent
model_key.py         P-256 key that signs models
validity.py          validity periods of keys and roles, and verification with the keys that were valid at a given time
dsse.py              in-toto statements in DSSE envelopes, in canonical form
statement_checks.py  checks that a statement signed elsewhere is recent and is the one that was requested
gate_statement.py    gate statements, gates/NAME.json, and their verification
stage_record.py      signed record of a stage's inputs and outputs
ledger_keys.py       interface through which the ledger gets its keys
"""
