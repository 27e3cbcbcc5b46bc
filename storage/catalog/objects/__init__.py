"""Media objects: allocation, lifetime, instances, get_urls, copies, garbage collection and the removal of bytes."""
