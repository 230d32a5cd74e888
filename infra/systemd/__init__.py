"""Units for systemd, for a checkout in /srv/hallmark and an installation in /opt/hallmark.

    hallmark.target            all services of `hallmark up`
    hallmark-prefect.service   Prefect server, runner and watch
    hallmark-console.service   web console
    hallmark-mlflow.service    MLflow server
    hallmark-watch.service     watch of a machine that executes no runs
    hallmark-work@.service     worker of a work pool; the instance is the name of the pool
    hallmark-clean.timer       removal of the files that policy does not keep, every night
    hallmark-backup.timer      backup, every night
    hallmark.env               environment of all units, to be copied to /etc/hallmark

docs/guides/platform-engineer.md says how to install them.

A stage runs in a sandbox of bubblewrap, which makes namespaces and mounts its own /proc. The units of processes that
execute stages therefore leave out `ProtectKernelTunables` and `ProtectKernelLogs` (the kernel refuses a new /proc while
parts of /proc are hidden), `RestrictNamespaces`, `PrivateDevices` (stages use GPUs) and `MemoryDenyWriteExecute`
(libraries compile at run time). With what they set, a sandbox was started.
"""
