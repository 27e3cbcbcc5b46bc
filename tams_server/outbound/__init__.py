"""Requests that the server makes itself (webhook deliveries, downloads for copies) and the addresses they may reach."""
