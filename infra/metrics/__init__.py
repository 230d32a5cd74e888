"""Metrics of a checkout, for Prometheus.

collector.py    the metrics, read from journals and from the ledger
exposition.py   their text, for `hallmark metrics` and the console's address /metrics, and the token of that address
dashboard.json  dashboard of Grafana
alerts.yaml     alerting rules of Prometheus
"""
