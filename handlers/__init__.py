"""One module per tag of the specification, one function per operation: each turns a validated call into one call of
storage, and its result into an answer."""
