"""Incidents, which a person with a named role must investigate and close.

incidents.py        opening, escalation and closing of incidents
signed_incident.py  signed statements about incidents
"""
