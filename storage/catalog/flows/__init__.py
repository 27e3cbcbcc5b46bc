"""Flows: their documents, rows, profile links, collections and content range."""
