"""The console: a web page of this server on which people look at flows and change them."""
