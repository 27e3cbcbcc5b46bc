"""How fast a server is, measured from outside by its URL, with limits that pass or fail (`make test-performance`)."""
