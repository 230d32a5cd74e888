"""Measurement of a training run: time, communication and utilisation.

time_shares.py    wall time of a worker by part
communication.py  measurement of the communication between workers
utilisation.py    utilisation of the devices in a step
"""
