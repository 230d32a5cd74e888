"""Container image of Hallmark (Containerfile), for the Helm chart and for the machines of a Ray cluster."""
