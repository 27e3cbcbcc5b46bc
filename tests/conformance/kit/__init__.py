"""What the tests of the kit are written with: a client that validates every answer, and builders of documents."""
