"""Table of all environment variables that Hallmark reads. docs/reference/settings is generated from it."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tasks.core.databases.addresses import LEDGER_URL_VARIABLE, VAULT_URL_VARIABLE
from tasks.stages.cluster.storage import training_storage


class Variable(NamedTuple):
    name: str
    meaning: str
    default: str = "–"
    is_path: bool = False
    """Whether the value is a path that belongs to the installation. Sources are not allowed at or below such a path."""


RUNNER_PREFIX = "AWS_"
RUNNER_VARIABLES = (
    Variable(LEDGER_URL_VARIABLE, "Postgres URL of the ledger", "`.hallmark/ledger.db`"),
    Variable(
        "HALLMARK_LEDGER_HEADS",
        "places for [signed heads of the ledger](../concepts/ledger.md#heads), with spaces between them: folders, "
        "`s3://BUCKET/PREFIX`, git remotes",
        "heads stay in `.hallmark/heads`",
        is_path=True,
    ),
    Variable(VAULT_URL_VARIABLE, "Postgres URL of the vault", "`.hallmark/vault/vault.db`"),
    Variable("HALLMARK_VAULT_KEY", "the vault's key: base64 of 32 bytes", "`.hallmark/keys/vault`"),
    Variable(
        "HALLMARK_GIT_REMOTE",
        "name or URL of the git remote to which a run is pushed before it is suspended",
        "no push",
        is_path=True,
    ),
    Variable(
        "HALLMARK_NOTIFY",
        "where [notices](../concepts/gates.md#reminders-and-notices) go: a Prefect notification block or the URL of "
        "a webhook",
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
        is_path=True,
    ),
    *(
        Variable(name, f"`{training_storage.aws_variable_name(name)}` for that storage, and for nothing else")
        for name in training_storage.TRAINING_AWS_VARIABLES
    ),
    Variable("RAY_AUTH_MODE", "`token` where the cluster asks for a token"),
    Variable(
        "RAY_AUTH_TOKEN",
        "that token; of the stages `train` gets it, and `predict` where it answers there",
    ),
    Variable("RAY_AUTH_TOKEN_PATH", "a file that holds the token", is_path=True),
)
"""Environment variables that are fixed when a runner starts. The same applies to variables that begin with
RUNNER_PREFIX."""
COMMAND_VARIABLES = (
    Variable("HALLMARK_ROOT", "the checkout", "the current folder or one above it"),
    Variable("HALLMARK_IDENTITY", "the person who acts, where a command has no `--as`"),
    Variable("HALLMARK_KEY", "file with that person's private key, where `.hallmark/keys/` has none", is_path=True),
    Variable("SSH_AUTH_SOCK", "the ssh-agent that holds that person's key", is_path=True),
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
        is_path=True,
    ),
    Variable(
        "HALLMARK_LOG_FORMAT",
        "form of [log lines](../guides/platform-engineer.md#logs): `text`, or `json` for one JSON object a line; a "
        "process keeps that of its start",
        "`text`",
    ),
    Variable("HALLMARK_CONSOLE_PORT", "port of the console, on loopback", "4220, or a free port"),
    Variable("HALLMARK_GATEWAY_PORT", "port of the gateway, on loopback", "4230, or a free port"),
    Variable("HALLMARK_GATEWAY_PROMPT_TOKENS", "maximum number of tokens in a prompt that the gateway takes", "2048"),
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
    Variable(
        "HALLMARK_OIDC_CLIENT_SECRET_FILE",
        "a file that holds the secret of that client",
        "a public client",
        is_path=True,
    ),
    Variable("HALLMARK_OIDC_NAME", "what the console's button calls that provider", "its host"),
    Variable("HALLMARK_CONSOLE_PASSWORDS", "`off`: nobody signs in to the console with a password", "`on`"),
)
LIBRARY_PATH_VARIABLES = (
    "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "DOCKER_CONFIG", "GNUPGHOME",
    "GOOGLE_APPLICATION_CREDENTIALS", "HF_TOKEN_PATH", "KUBECONFIG", "NETRC", "PGPASSFILE", "PGSERVICEFILE", "PGSSLKEY",
    "PIP_CONFIG_FILE", "RAY_TLS_SERVER_KEY",
)  # fmt: skip


def configured_paths(environment: Mapping[str, str]) -> Iterator[Path]:
    names = [each.name for each in (*RUNNER_VARIABLES, *COMMAND_VARIABLES) if each.is_path]
    for name in (*names, *LIBRARY_PATH_VARIABLES):
        value = environment.get(name, "")
        for text in {value, *value.split(), *value.split(os.pathsep)}:
            if "/" in text and "://" not in text:
                with suppress(RuntimeError, ValueError):  # a home of nobody, or no path
                    yield Path(os.path.realpath(Path(text).expanduser()))
