"""Keys and passwords.

providers.py      keys in the formats of known providers
prefixed_keys.py  keys of other providers: a short prefix and a long random rest
secret_syntax.py  secrets with syntax around them: private key blocks, URLs, HTTP headers
named_secrets.py  secrets that the text calls a key or a password
entropy.py        randomness of a string, and dummy values
"""
