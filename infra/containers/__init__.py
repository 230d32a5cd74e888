"""The image of Hallmark that the Helm chart and the machines of a cluster run: Containerfile."""
