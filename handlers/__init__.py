"""One module per tag of the specification, one function per operation.

A handler translates a validated call into a call of the catalogue, and its result into a response.
"""
