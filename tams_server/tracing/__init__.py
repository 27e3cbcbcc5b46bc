"""Traces by OpenTelemetry: spans of requests, of transactions of the catalogue and of background jobs."""
