"""Flows: their documents, rows, collections and content range."""
