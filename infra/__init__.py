"""Whatever a person starts or that keeps running, and where: the command line, Prefect, Kubernetes, governance."""
