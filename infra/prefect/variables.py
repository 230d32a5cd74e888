"""Table of all environment variables that Hallmark reads. docs/reference/settings is made from it."""

from typing import NamedTuple

from tasks.stages.cluster.storage import training_storage


class Variable(NamedTuple):
    name: str
    meaning: str
    default: str = "–"


RUNNER_PREFIX = "AWS_"
RUNNER_VARIABLES = (
    Variable("HALLMARK_LEDGER_URL", "Postgres URL of the ledger", "`.hallmark/ledger.db`"),
    Variable(
        "HALLMARK_LEDGER_HEADS",
        "places for [signed heads of the ledger](../concepts/ledger.md#heads), with spaces between them: folders, "
        "`s3://BUCKET/PREFIX`, git remotes",
        "heads stay in `.hallmark/heads`",
    ),
    Variable("HALLMARK_VAULT_URL", "Postgres URL of the vault", "`.hallmark/vault/vault.db`"),
    Variable("HALLMARK_VAULT_KEY", "the vault's key: base64 of 32 bytes", "`.hallmark/keys/vault`"),
    Variable(
        "HALLMARK_GIT_REMOTE", "name or URL of the git remote to which a run is pushed before it parks", "no push"
    ),
    Variable(
        "HALLMARK_NOTIFY",
        "where [notices](../concepts/gates.md#reminders-and-notices) go: a Prefect notification block or the URL of a "
        "webhook",
        "the watch's log",
    ),
    Variable(
        "HALLMARK_ROOT_FINGERPRINT",
        "fingerprint of the [root key](../concepts/governance.md#the-root-of-trust) that this machine trusts",
        "`.hallmark/keys/root.pub`",
    ),
    Variable("HALLMARK_WORKERS", "processes of the heavy data stages", "the machine's cores"),
    Variable(
        "HALLMARK_STAGE_PORTS",
        "more TCP ports that stages with a network may connect to, as `8000, 10000-19999`",
        "those that their settings name, and 53, 80, 443",
    ),
    Variable("PREFECT_API_URL", "a Prefect server to use instead of the embedded one"),
    Variable("PREFECT_API_AUTH_STRING", "secret of that server"),
    Variable("MLFLOW_TRACKING_URI", "an MLflow server", "SQLite under `.hallmark/mlflow`"),
    Variable("MLFLOW_REGISTRY_URI", "another MLflow server for releases", "`MLFLOW_TRACKING_URI`"),
    Variable(
        "RAY_ADDRESS",
        "a [Ray cluster](../guides/cluster.md); its machines have this Python under the same path, and without "
        "`HALLMARK_TRAINING_STORAGE` also `.hallmark/`",
        "Ray on this machine, on loopback, with a token of its own",
    ),
    Variable(
        "HALLMARK_TRAINING_STORAGE",
        "what lies between the machines of a Ray cluster that share no disk: `s3://BUCKET/PREFIX`, or a folder that "
        "all of them mount",
        "they share `.hallmark/`",
    ),
    *(
        Variable(name, f"`{training_storage.boto_name(name)}` for that storage, and for nothing else")
        for name in training_storage.AWS_VARIABLES
    ),
    Variable("RAY_AUTH_MODE", "`token` where the cluster asks for a token"),
    Variable(
        "RAY_AUTH_TOKEN",
        "that token; of the stages `train` gets it, and `predict` where it answers there",
    ),
    Variable("RAY_AUTH_TOKEN_PATH", "a file that holds the token"),
)
"""Variables that a runner keeps from its start, together with those whose names begin with PREFIX."""
COMMAND_VARIABLES = (
    Variable("HALLMARK_ROOT", "the checkout", "the current folder or one above it"),
    Variable("HALLMARK_IDENTITY", "the person who acts, where a command has no `--as`"),
    Variable("HALLMARK_KEY", "file with that person's private key, where `.hallmark/keys/` has none"),
    Variable("SSH_AUTH_SOCK", "the ssh-agent that holds that person's key"),
    Variable("HALLMARK_PREFECT_PORT", "port of the embedded Prefect server", "4200, or a free port"),
    Variable(
        "HALLMARK_MLFLOW_PORT",
        "port of MLflow's pages, which `hallmark up` starts where `MLFLOW_TRACKING_URI` names no server; `off`: none",
        "5000, or a free port",
    ),
    Variable(
        "HALLMARK_TRAINING_CACHE",
        "on a machine of a Ray cluster: the folder that keeps models and rows of the training storage",
        "`~/.cache/hallmark/training`",
    ),
    Variable("HALLMARK_CONSOLE_PORT", "port of the console, on loopback", "4220, or a free port"),
    Variable(
        "HALLMARK_CONSOLE_ORIGIN",
        "the https address that a proxy on this machine serves the console under, or `http://localhost` for passkeys "
        "without one",
        "`http://127.0.0.1:PORT`",
    ),
    Variable(
        "HALLMARK_OIDC_ISSUER",
        "the provider of OpenID Connect that [signs people in](../guides/console.md#sign-in-through-openid-connect) to "
        "the console: its address, as its tokens say it",
        "passwords alone",
    ),
    Variable("HALLMARK_OIDC_CLIENT_ID", "what that provider calls the console"),
    Variable("HALLMARK_OIDC_CLIENT_SECRET_FILE", "a file that holds the secret of that client", "a public client"),
    Variable("HALLMARK_OIDC_NAME", "what the console's button calls that provider", "its host"),
    Variable("HALLMARK_CONSOLE_PASSWORDS", "`off`: nobody signs in to the console with a password", "`on`"),
)
"""Variables that each command reads itself."""
