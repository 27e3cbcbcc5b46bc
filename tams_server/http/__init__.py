"""The HTTP side of the API: from a request to the call of a handler, and from its result to a response."""
