"""The console: pages on which people decide, look at runs and releases, and read the record.

It judges nothing itself: what it shows comes from the ledger and the runs as every command reads them, and a decision
is signed by the person's own key in their browser. The server holds nobody's key.

site.py       what a page reads: the ledger and the governance in force
store.py      the console's own database: accounts and sessions
accounts.py   passwords of people in people.yaml, and the lock after wrong ones
sessions.py   who is signed in, until when
guard.py      what every request has to pass, and the headers of every answer
pages.py      the table of pages: path, view, template, who may look
actions.py    the tables of what a person may do, and who may
views/        one file a page: what it shows, as a typed document that is also its JSON
acts/         one file for each thing that is signed in a browser
answers.py    a view as HTML, JSON or CSV
tables.py     which tables a view holds, for CSV
rates.py      how much one person may ask for in a minute
context.py    what every route works with: who visits, and how a page is made
routes.py     the rows of both tables as routes
disclosing.py one record as its source has it, for a reason
entrance.py   signing in with a password, and out
elsewhere.py  signing in at a provider of OpenID Connect
oidc/         what that provider is asked, and what its answer has to say
failures.py   what went wrong, in words
app.py        all of it as one application
server.py     start, find and stop it
listening.py  how it listens, and whom it waits for how long
serve.py      the process
"""
