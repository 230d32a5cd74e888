"""Programs and long-running services: the command line, web console, gateway, Prefect, MLflow and Kubernetes.

checkout_folder.py  folder of a checkout, and the permissions of its state
ledger_signs.py     signs that the ledger of a checkout was tampered with
release_notices.py  notices about releases: unfinished promotions, and promotions that do not count
release_diff.py     comparison of two releases for `hallmark releases diff`
record_lookup.py    datasets, runs and releases that contain a record or a person, for `hallmark data find`
formats.py          type and JSON schema of every signed or digested document
processes.py        start and end of processes that outlive a command
local_server.py     start and end of a server on loopback
foreground.py       one service in the foreground, for systemd
ports.py            free and bound ports on loopback
loopback.py         loopback addresses without a proxy
mlflow_server.py    MLflow server of this checkout
tracking_access.py  authentication of requests to the MLflow server
cli/                command `hallmark`
console/            web console
containers/         container image
docs/               reference pages that are generated from the code
doctor/             checks of `hallmark doctor`
gateway/            serving of the release in production over HTTP
http/               limits that console and gateway share
kubernetes/         Helm chart
logs/               log lines of Hallmark's own processes, and files of limited size for them
metrics/            metrics for Prometheus, with a dashboard and alerting rules
prefect/            Prefect's server, runner, worker and watch
ray/                Ray cluster without Kubernetes
standard_suites/    evaluation suites that `hallmark suites add` copies
systemd/            units and timers for systemd

The policy, people, sources and expectation suites of the sample use case are in governance/.
"""
