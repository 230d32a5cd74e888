"""Ray cluster for training runs without Kubernetes, on your own machines or in a cloud: cluster.yaml, for `ray up`."""
