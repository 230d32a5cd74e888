"""Measurement of a training: time, communication, utilisation, speed.

time_shares.py    wall time of a worker by part
communication.py  measurement of the communication among workers
utilisation.py    utilisation of the devices in a step
"""
