"""The conformance kit: black-box tests of the TAMS 8.2 behaviours, against any server by URL.

`pytest tests/conformance --tams-url URL --tams-token TOKEN`; without a URL the project's own server is started.
"""
