"""Container image of Hallmark (Containerfile). The Helm chart and the machines of a Ray cluster use it."""
