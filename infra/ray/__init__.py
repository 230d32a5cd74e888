"""A Ray cluster for trainings on machines of your own, or a cloud's, without Kubernetes: cluster.yaml, for `ray up`."""
