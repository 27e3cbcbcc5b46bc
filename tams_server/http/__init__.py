"""From an HTTP request to a handler's call, and from the handler's result to an HTTP response."""
