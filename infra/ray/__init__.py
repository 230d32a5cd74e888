"""Ray cluster for trainings, on machines of one's own or of a cloud, without Kubernetes: cluster.yaml, for `ray up`."""
