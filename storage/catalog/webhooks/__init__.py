"""Webhooks, and the deliveries queued for them."""
