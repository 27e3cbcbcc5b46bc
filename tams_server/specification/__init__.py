"""The API document: loading, the overlay, and the operations and validators compiled from it."""
