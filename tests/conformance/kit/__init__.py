"""Building blocks of the kit's tests: a client that validates every response, builders of documents, a receiver."""
