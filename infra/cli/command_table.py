"""Table of all commands of `hallmark`: the location of each, its line in `--help`, and its section there."""

from infra.cli.lazy_commands import Command, CommandGroup, Commands

CODE = {
    "list": Command("code:list_versions", "List versions of the code, and who signed them off."),
    "adopt": Command("code:adopt", "Sign a version of the code off.", "acts"),
    "withdraw": Command("code:withdraw", "Take back a version that was signed off.", "acts"),
}
CARD = {
    "list": Command("card:list_cards", "List use-case cards that are in force."),
    "adopt": Command("card:adopt", "Sign the card of a use case that you answer for.", "acts"),
}
CONSOLE = {
    "start": Command("console:start", "Start the console of this checkout.", "itself"),
    "stop": Command("console:stop", "Stop the console of this checkout.", "itself"),
    "set-password": Command("console:set_password", "Set the password that you sign in with.", "acts"),
    "accounts": Command("console:list_accounts", "List who has a password."),
    "sessions": Command("console:list_sessions", "List who is signed in, and since when."),
    "revoke": Command("console:revoke", "Take a person's password away, end their sessions.", "itself"),
}
DATA = {
    "list": Command("data.listing:list_sources", "List every source: owner, classification, quality."),
    "manifest": Command("data.manifest:manifest", "Show what a run's dataset is made of, and what changed."),
    "quarantine": Command("data.quarantine:quarantine", "Show the rows that a run quarantined, by rule."),
    "conflicts": Command("data.conflicts:conflicts", "Show records that contradict each other."),
    "expectations": Command("data.expectations:expectations", "Show failed expectations with their rows."),
    "labels": Command("data.labels:labels", "Show labels that are not trained or misspelt, with rows."),
    "detectors": Command("data.detectors:detectors", "Show what owners' own detectors found in a run's sources."),
    "distribution": Command("data.distribution:distribution", "Show how far a dataset moved from the last one."),
    "show": Command("data.show:show", "Show one record as its source had it.", "acts"),
    "find": Command("data.find:find", "Find everything that a record or a person is in."),
    "records": Command("data.records:records", "Show the records behind a release, by source."),
    "adopt": Command("data.adopt:adopt", "Sign what sources.yaml says of a source that you own.", "acts"),
    "withdraw": Command("data.withdraw:withdraw", "Withdraw a source that you own.", "acts"),
}
EVALUATE = {
    "errors": Command("evaluate.errors:errors", "Show a model's wrong answers to the test rows."),
    "compare": Command("evaluate.compare:compare", "Compare the answers of two releases or runs."),
}
ERASE = {
    "request": Command("erase.request:request", "Find a person, and sign the request to erase them.", "acts"),
    "list": Command("erase.listing:list_erasures", "List erasures with their state and deadline."),
    "show": Command("erase.listing:show", "Show one erasure: who asked, decided and did what."),
    "plan": Command("erase.plan:plan", "Show every place with something about the person.", "acts"),
    "decide": Command("erase.decide:decide", "Decide what is deleted, and what is kept and why.", "acts"),
    "execute": Command("erase.execute:execute", "Carry the decisions out.", "acts"),
    "verify": Command("erase.verify:verify", "Search all files for the person.", "acts"),
    "certify": Command("erase.certificate:certify", "Sign what was erased, and what is kept and why.", "acts"),
    "check": Command("erase.certificate:check", "Verify a certificate, and show it."),
    "recall": Command("erase.certificate:recall", "Put an erasure in force after an older backup.", "acts"),
}
GATES = {
    "list": Command("gates.looking:list_gates", "List the gates that wait for people."),
    "show": Command("gates.looking:show", "Show the evidence of a gate, and who decides."),
    "approve": Command("gates.deciding:approve", "Show the evidence of a gate and sign your approval.", "acts"),
    "reject": Command("gates.deciding:reject", "Show the evidence and sign your rejection.", "acts"),
    "waive": Command("gates.deciding:waive", "Waive failed checks of a gate, until a date.", "acts"),
    "withdraw": Command("gates.deciding:withdraw", "Withdraw your own decision while the gate is open.", "acts"),
}
IDENTITY = {
    "create": Command("identity:create", "Make a key and propose it in people.yaml.", "itself"),
    "import": Command("identity:bring", "Propose an existing OpenSSH ed25519 key in people.yaml.", "itself"),
    "list": Command("identity:list_identities", "List people and machines with their roles and keys."),
    "revoke": Command("identity:revoke", "Propose that a key is revoked as of a date.", "itself"),
    "root": Command("identity:root", "Print the fingerprint of the root key.", "itself"),
}
LABELS = {
    "start": Command("labels.start:start", "Start a round of expert labels that you lead.", "acts"),
    "export": Command("labels.export:export", "Write an annotator's task file.", "acts"),
    "import": Command("labels.importing:import_labels", "Import a task file with labels.", "acts"),
    "status": Command("labels.status:status", "Show rounds and their progress."),
    "agreement": Command("labels.agreement:agreement", "Show how far annotators agree."),
    "adjudicate": Command("labels.adjudicate:adjudicate", "Decide where annotators disagree.", "acts"),
    "finish": Command("labels.finish:finish", "Write one label for each row, as a source.", "acts"),
}
LEDGER = {
    "list": Command("ledger:list_entries", "List entries, newest last."),
    "show": Command("ledger:show", "Show one entry whole."),
    "verify": Command("ledger:verify", "Recompute everything and compare it with the signed heads.", "itself"),
    "prove": Command("ledger:prove", "Print a proof about an entry, or since an older head."),
    "verify-proof": Command(
        "ledger:verify_proof", "Verify a proof with nothing but the ledger's public key.", "itself"
    ),
    "export": Command("ledger:export", "Write entries and signed heads to one file."),
    "publish": Command("ledger:publish_heads", "Sign a head and take every head to its places.", "acts"),
}
PARAMS = {
    "check": Command("params:check", "Check a params file.", "itself"),
    "schema": Command("params:schema", "Print the JSON schema of params.yaml.", "itself"),
}
POLICY = {
    "show": Command("policy:show", "Show what is in force, since when, signed by whom."),
    "check": Command("policy:check", "Check a policy, and explain it in words.", "itself"),
    "test": Command("policy:test", "Judge the cases of policy_tests.yaml beside a policy.", "itself"),
    "adopt": Command("policy:adopt", "Show what would change, sign it, put it in force.", "itself"),
}
RELEASES = {
    "list": Command("releases.listing:list_releases", "List every release with its aliases, newest last."),
    "show": Command("releases.listing:show", "Show one release: digests, gates and who decided."),
    "verify": Command("releases.verify:verify", "Verify a release from its folder alone.", "itself"),
    "admit": Command("releases.admit:admit", "Verify what is in production, and print where it lies.", "itself"),
    "export": Command("releases.export:export", "Export what is in production for other tools.", "acts"),
    "champion": Command("releases.champion:champion", "Show what was in production at a moment of the past."),
    "diff": Command("releases.difference:diff", "Show what changed from one release to another."),
    "rollback": Command("releases.rollback:rollback", "Order that an earlier release be champion again.", "acts"),
    "confirm": Command("releases.rollback:confirm", "Confirm an emergency rollback, as a second person.", "acts"),
}
REVIEW = {
    "start": Command("review.start:start", "Start a blind review of a run's answers that you lead.", "acts"),
    "results": Command("review.results:results", "Show which answers experts prefer, and how sure."),
    "finish": Command("review.finish:finish", "Finish a review, and sign its result for the gate.", "acts"),
}
RUNS = {
    "list": Command("runs_list:list_runs", "List runs, newest first: status, who asked, what each waits for."),
    "show": Command("runs:show", "Show one run: stages, gates, and what it waits for."),
    "diff": Command("runs_difference:diff", "Show what differs between two runs, with a paired test."),
    "stop": Command("runs_stop:stop", "Stop a run that is in progress here; it can go on later.", "itself"),
}
INCIDENTS = {
    "list": Command("incidents:list_incidents", "List the open incidents."),
    "show": Command("incidents:show", "Show one incident, its owner and its end."),
    "close": Command("incidents:close", "Close an incident with your key.", "acts"),
}
SCHEDULE = {
    "list": Command("schedule:list_schedules", "List schedules and triggers, and when each is due."),
    "next": Command("schedule:coming", "Show the next times at which runs are asked for."),
    "pause": Command("schedule:pause", "Pause a schedule or trigger.", "acts"),
    "resume": Command("schedule:resume", "Resume a paused one.", "acts"),
    "run": Command("schedule:run", "Request the run of a schedule or trigger now.", "acts"),
}
SERVE = {
    "up": Command("serve:up", "Serve what is in production, for clients of OpenAI.", "itself"),
    "down": Command("serve:down", "Stop serving, once accepted requests are answered.", "itself"),
    "status": Command("serve:status", "Show what is served, and where.", "itself"),
    "add-key": Command("serve:add_key", "Make a key for a caller.", "itself"),
    "keys": Command("serve:list_keys", "List the keys of callers.", "itself"),
    "revoke-key": Command("serve:revoke_key", "Revoke a key of a caller.", "itself"),
}
SUITES = {
    "list": Command("suites:list_suites", "List evaluation suites, their owners and adoption."),
    "add": Command("suites:add", "Copy standard evaluation suites to the governance folder."),
    "adopt": Command("suites:adopt", "Sign an evaluation suite that you own.", "acts"),
    "results": Command("suites:results", "Show which cases the models of a run have passed."),
}
SECTIONS: dict[str, Commands] = {
    "Start a project": {
        "init": Command("init:init", "Make keys, ledger and folders of this checkout.", "itself"),
        "new": Command("new:new", "Scaffold a use case from a data file.", "itself"),
        "doctor": Command("doctor:doctor", "Say what is missing or out of date here, and what to type.", "itself"),
        "identity": CommandGroup("Make, import, list and revoke keys.", IDENTITY),
        "params": CommandGroup("Check params files, and print their schema.", PARAMS),
        "advise": Command("advise:advise", "Say which approach fits a use case, and why.", "itself"),
    },
    "Train a model": {
        "run": Command("run:run", "Start a run: data, training, evaluation, gates, promotion.", "acts"),
        "preflight": Command("preflight:preflight", "Say if a training fits, how long it takes, its cost.", "itself"),
        "sweep": Command("sweep:sweep", "Try training parameters on the rows of the last run.", "acts"),
        "compare": Command("compare:compare", "Compare base models on the task, with costs and terms.", "acts"),
        "resolve": Command("resolve:resolve", "Write inputs/ for `dvc repro` by hand.", "acts"),
        "reproduce": Command("reproduce:reproduce", "Build a release again and compare every digest.", "acts"),
    },
    "Decide and sign": {
        "labels": CommandGroup("Have experts label rows, and see how far they agree.", LABELS),
        "review": CommandGroup("Have experts compare a run's answers, blind.", REVIEW),
        "gates": CommandGroup("List the gates that wait, look at evidence, decide.", GATES),
        "console": CommandGroup("Pages to decide on and to read the record.", CONSOLE),
        "card": CommandGroup("Sign off what a use case is for and has to reach.", CARD),
        "code": CommandGroup("Sign off the code that governed runs are made of.", CODE),
        "policy": CommandGroup("Show, check, test and adopt the policy.", POLICY),
        "incidents": CommandGroup("List, show and close incidents.", INCIDENTS),
        "erase": CommandGroup("Erase what is held about a person, and certify it.", ERASE),
    },
    "Look at results": {
        "status": Command("status:status", "Show what is up, and where runs stand."),
        "runs": CommandGroup("List, show, compare and stop runs.", RUNS),
        "teams": Command("teams:list_teams", "List teams: use cases, open runs, cost and quota."),
        "evaluate": CommandGroup("Look through wrong answers, compare two evaluations.", EVALUATE),
        "suites": CommandGroup("List and adopt evaluation suites, and show their results.", SUITES),
        "releases": CommandGroup("List, show, compare, verify and roll back releases.", RELEASES),
        "data": CommandGroup("List sources, look at rows and single records.", DATA),
        "ledger": CommandGroup("List, show, verify, prove and export the ledger.", LEDGER),
        "audit": Command("audit:audit", "Write the dossier of a release, as HTML and one archive."),
    },
    "Operate the platform": {
        "up": Command("up:up", "Start Prefect, watch, console and MLflow of this checkout.", "itself"),
        "down": Command("down:down", "Stop all that `hallmark up` started.", "itself"),
        "serve": CommandGroup("Serve the release in production, and give out keys.", SERVE),
        "watch": Command("watch:watch", "Watch over gates, deadlines and schedules until Ctrl-C.", "itself"),
        "work": Command("work:work", "Execute runs of a work pool on this machine until Ctrl-C.", "acts"),
        "deploy": Command("deploy:deploy", "Put schedules and triggers in force, start what runs them.", "acts"),
        "trigger": Command("trigger:trigger", "Say that an event happened, for which a run is asked.", "acts"),
        "schedule": CommandGroup("List, pause, resume and run schedules and triggers.", SCHEDULE),
        "settings": Command("settings:settings", "List every setting, its value, and where it is from.", "itself"),
        "metrics": Command("metrics:metrics", "Print metrics for Prometheus."),
        "clean": Command("clean:clean", "Show or remove files that policy does not keep.", "acts"),
        "backup": Command("backup:backup", "Back up the state of this checkout while it is in use."),
        "restore": Command("backup:restore", "Put a backup back where there is no state yet.", "itself"),
    },
}
"""Sections of `hallmark --help` by title, in the order of a first use. Each command is in one of them."""
ALL: Commands = {name: command for section in SECTIONS.values() for name, command in section.items()}
