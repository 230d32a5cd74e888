"""Who somebody is, and what speaks for them.

people.py      people.yaml: identities, roles, public keys, machines
proposal.py    changes of people.yaml, to be signed off
validity.py    keys and roles that count for a time, and statements judged by the keys that counted then
keys.py        OpenSSH ed25519 keys
hardware.py    those in a FIDO2 authenticator, and the form of their signatures
signing.py     which of them signs: a file, with a passphrase or without, or the agent
ssh_agent.py   a running ssh-agent
model_key.py   the key that signs models, of another kind
"""
