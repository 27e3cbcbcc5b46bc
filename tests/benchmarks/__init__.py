"""Benchmarks: the cost of requests side by side with named baselines, printed by `make bench`.

frame.py holds what rows are made of; rows/ measures, with requests to an application in a child process (probe.py) or
through the network (served.py); baselines/ is what the server is compared with; report.py, picture.py and document.py
show the results.
"""
