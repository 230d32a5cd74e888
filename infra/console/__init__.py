"""Web console: pages on which people decide at gates, inspect runs and releases, and read the ledger.

The console itself decides nothing. Its pages show the same ledger and runs as the commands do. People sign decisions in
their browser, with their own keys; the server holds none of these keys.

site.py            state that a page reads: the ledger and the governance in force
database.py        database of the console: accounts, known browsers and sessions
accounts.py        passwords of people in people.yaml, and the lockout after wrong passwords
sessions.py        sessions of signed-in people, and their time limits
middleware.py      middleware: checks of every request, and security headers of every response
pages.py           table of pages: path, view, template and access
actions.py         tables of statements to sign and of other requests, each with its access
views/             one file for each page: its content as a typed document, which is also its JSON
signing/           one file for each kind of statement that is signed in a browser
rendering.py       rendering of views: templates with their filters, and CSV
csv_tables.py      tables of a view, for download as CSV
context.py         state that all routes share: accounts, sessions, limits and templates
routes.py          routes of the pages and of the statements to sign
team_access.py     runs and releases that a person sees, if policy has teams
data_access.py     routes of data accesses: one record, or everything about one person
sign_in.py         routes of sign-in with a password, and of sign-out
oidc_routes.py     routes of sign-in with an OpenID Connect provider
oidc/              requests to that provider, and verification of its responses
error_handlers.py  error responses, as a page or as JSON
app.py             the whole application
server.py          start, lookup and stop of the console of a checkout
serve.py           entry point of the console's process
"""
