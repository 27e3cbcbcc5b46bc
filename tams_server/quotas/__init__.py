"""Rates, requests at a time and quotas of principals and addresses, counted for all processes of a server together."""
