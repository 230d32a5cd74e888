"""Sign-in at a provider of OpenID Connect: the Authorization Code flow with PKCE (RFC 7636), state and nonce.

settings.py      which provider, from environment variables
transactions.py  a sign-in between leaving for the provider and coming back
fetching.py      what the provider is asked over HTTP: bounded, and never sent elsewhere
provider.py      its addresses, the way there, and what it says of who came back
id_token.py      what an ID token has to say

The routes are in ../elsewhere.py.
"""
