"""Segments of flows: listing, registration, deletion and flow delete requests."""
