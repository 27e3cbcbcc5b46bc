"""Conformance kit: black-box tests of the TAMS 8.2 behaviours, run against any server by URL.

`pytest tests/conformance --tams-url URL --tams-token TOKEN`. Without a URL, the project's own server is started.
"""
