"""Sign-in with an OpenID Connect provider: the Authorization Code flow with PKCE (RFC 7636), state and nonce.

settings.py      provider and sign-in methods, from environment variables
transactions.py  sign-ins in progress, between the redirect to the provider and the callback
http.py          HTTP requests to the provider, limited in size and time, without redirects
provider.py      endpoints of the provider, the redirect to it, and the exchange of a code for a subject
id_token.py      verification of ID tokens

The routes are in ../oidc_routes.py.
"""
