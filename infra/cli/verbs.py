"""Table of all commands of `hallmark`: where each is, and its line in `--help`."""

from infra.cli.lazy import Verb, Verbs

CODE = {
    "list": Verb("code:list_versions", "List versions of the code, and who signed them off."),
    "adopt": Verb("code:adopt", "Sign a version of the code off.", "acts"),
    "withdraw": Verb("code:withdraw", "Take back a version that was signed off.", "acts"),
}
CARD = {
    "list": Verb("card:list_cards", "List use-case cards that are in force."),
    "adopt": Verb("card:adopt", "Sign the card of a use case that you answer for.", "acts"),
}
CONSOLE = {
    "start": Verb("console:start", "Start the console of this checkout.", "itself"),
    "password": Verb("console:password", "Set the password that you sign in with.", "acts"),
    "accounts": Verb("console:list_accounts", "List who has a password."),
    "sessions": Verb("console:list_sessions", "List who is signed in, and since when."),
    "revoke": Verb("console:revoke", "Take a person's password away, end their sessions.", "itself"),
}
DATA = {
    "inventory": Verb("data.inventory:inventory", "Show every source: owner, class, freshness, quality."),
    "manifest": Verb("data.manifest:manifest", "Show what a run's dataset is made of, and what changed."),
    "quarantine": Verb("data.quarantine:quarantine", "Show the rows that a run put aside, by rule."),
    "conflicts": Verb("data.conflicts:conflicts", "Show records that contradict each other."),
    "show": Verb("data.show:show", "Show one record as its source had it.", "acts"),
    "where": Verb("data.where:where", "Show everything that a record or a person is in."),
    "records": Verb("data.records:records", "Show the records behind a release, by source."),
    "adopt": Verb("data.adopt:adopt", "Sign what sources.yaml says of a source that you own.", "acts"),
    "withdraw": Verb("data.withdraw:withdraw", "Withdraw a source that you own.", "acts"),
}
GATES = {
    "list": Verb("gates.looking:list_gates", "List the gates that wait for people."),
    "show": Verb("gates.looking:show", "Show the evidence of a gate, and who decides."),
    "approve": Verb("gates.deciding:approve", "Show the evidence of a gate and sign your approval.", "acts"),
    "reject": Verb("gates.deciding:reject", "Show the evidence and sign your rejection.", "acts"),
    "waive": Verb("gates.deciding:waive", "Waive failed checks of a gate, until a date.", "acts"),
    "withdraw": Verb("gates.deciding:withdraw", "Withdraw your own decision while the gate is open.", "acts"),
}
IDENTITY = {
    "create": Verb("identity:create", "Make a key and propose it in people.yaml.", "itself"),
    "import": Verb("identity:bring", "Propose an existing OpenSSH ed25519 key in people.yaml.", "itself"),
    "list": Verb("identity:list_identities", "List people and machines with their roles and keys."),
    "revoke": Verb("identity:revoke", "Propose that a key is revoked as of a date.", "itself"),
    "root": Verb("identity:root", "Print the fingerprint of the root key.", "itself"),
}
LEDGER = {
    "show": Verb("ledger:show", "Show what was recorded, newest last."),
    "verify": Verb("ledger:verify", "Recompute everything and compare it with the signed heads.", "itself"),
    "prove": Verb("ledger:prove", "Print a proof about an entry, or since an older head."),
    "check": Verb("ledger:check", "Check a proof with nothing but the ledger's public key.", "itself"),
    "export": Verb("ledger:export", "Write entries and signed heads to one file."),
    "publish": Verb("ledger:publish_heads", "Sign a head and take every head to its places.", "itself"),
}
POLICY = {
    "show": Verb("policy:show", "Show what is in force, since when, signed by whom."),
    "check": Verb("policy:check", "Explain a policy in words.", "itself"),
    "test": Verb("policy:test", "Judge the cases of policy_tests.yaml beside a policy.", "itself"),
    "adopt": Verb("policy:adopt", "Show what would change, sign it, put it in force.", "itself"),
}
RELEASES = {
    "list": Verb("releases.listing:list_releases", "List every release with its aliases, newest last."),
    "show": Verb("releases.listing:show", "Show one release: digests, gates and who decided."),
    "verify": Verb("releases.verify:verify", "Check a release from its folder alone.", "itself"),
    "admit": Verb("releases.admit:admit", "Verify what is in production, and print where it lies.", "itself"),
    "at": Verb("releases.history:at", "Show what was in production at a moment of the past."),
    "diff": Verb("releases.difference:diff", "Show what changed from one release to another."),
    "rollback": Verb("releases.rollback:rollback", "Order that an earlier release be champion again.", "itself"),
    "confirm": Verb("releases.rollback:confirm", "Confirm an emergency rollback, as a second person.", "acts"),
}
RUNS = {
    "diff": Verb("runs_difference:diff", "Show what differs between two runs, with a paired test."),
    "stop": Verb("runs_stop:stop", "Stop a run that is in progress here; it can go on later.", "itself"),
}
INCIDENTS = {
    "list": Verb("incidents:list_incidents", "List the open incidents."),
    "show": Verb("incidents:show", "Show one incident, its owner and its end."),
    "close": Verb("incidents:close", "Close an incident with your key.", "acts"),
}
SCHEDULE = {
    "list": Verb("schedule:list_schedules", "List schedules and triggers, and when each is due."),
    "next": Verb("schedule:coming", "Show the next times at which runs are asked for."),
    "pause": Verb("schedule:pause", "Let a schedule or trigger rest.", "acts"),
    "resume": Verb("schedule:resume", "Let one that rests go on.", "acts"),
    "run-now": Verb("schedule:run_now", "Ask for the run of a schedule now.", "acts"),
}
ALL: dict[str, Verb | Verbs] = {
    "init": Verb("init:init", "Make keys, ledger and folders of this checkout.", "itself"),
    "new": Verb("new:new", "Scaffold a use case from a data file.", "itself"),
    "run": Verb("run:run", "Start a run: data, training, evaluation, gates, promotion.", "acts"),
    "status": Verb("status:status", "Show where runs stand, and what they wait for."),
    "up": Verb("up:up", "Start Prefect, watch, console and MLflow of this checkout.", "itself"),
    "down": Verb("down:down", "Stop all that `hallmark up` started.", "itself"),
    "watch": Verb("watch:watch", "Watch over gates, deadlines and schedules until Ctrl-C.", "itself"),
    "work": Verb("work:work", "Execute runs of a work pool on this machine until Ctrl-C.", "acts"),
    "deploy": Verb("deploy:deploy", "Put schedules and triggers in force, start what runs them.", "acts"),
    "trigger": Verb("trigger:trigger", "Say that an event happened, for which a run is asked.", "acts"),
    "doctor": Verb("doctor:doctor", "Say what is missing or out of date here, and what to type.", "itself"),
    "advise": Verb("advise:advise", "Say which approach fits a use case, and why.", "itself"),
    "sweep": Verb("sweep:sweep", "Try training parameters on the rows of the last run.", "acts"),
    "compare": Verb("compare:compare", "Compare base models on the task, with costs and terms.", "acts"),
    "preflight": Verb("preflight:preflight", "Say if a training fits, how long it takes, its cost.", "itself"),
    "params": Verb("params:params", "Check a params file, or print its schema.", "itself"),
    "resolve": Verb("resolve:resolve", "Write inputs/ for `dvc repro` by hand.", "acts"),
    "audit": Verb("audit:audit", "Write the dossier of a release, as HTML and one archive."),
    "reproduce": Verb("reproduce:reproduce", "Build a release again and compare every digest.", "acts"),
    "backup": Verb("backup:backup", "Back up the state of this checkout while it is in use."),
    "restore": Verb("backup:restore", "Put a backup back where there is no state yet.", "itself"),
    "card": Verbs("Sign off what a use case is for and has to reach.", CARD),
    "console": Verbs("Pages to decide on and to read the record.", CONSOLE),
    "code": Verbs("Sign off the code that governed runs are made of.", CODE),
    "data": Verbs("Look at sources, their rows and single records.", DATA),
    "gates": Verbs("List the gates that wait, look at evidence, decide.", GATES),
    "identity": Verbs("Make, import, list and revoke keys.", IDENTITY),
    "ledger": Verbs("Show, verify, prove and export the ledger.", LEDGER),
    "policy": Verbs("Explain, test and adopt the policy.", POLICY),
    "releases": Verbs("List, show, compare, verify and roll back releases.", RELEASES),
    "runs": Verbs("Compare runs, also those never released; stop one.", RUNS),
    "schedule": Verbs("List, pause and resume schedules and triggers.", SCHEDULE),
    "incidents": Verbs("List, show and close incidents.", INCIDENTS),
}
