"""Postal addresses, in one line or over several, whole or only the street: address.py grows streets into addresses."""
