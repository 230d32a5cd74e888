"""What a person has to look into.

incidents.py        opened, escalated, closed
signed_incident.py  what a person signs of one
"""
