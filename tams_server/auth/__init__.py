"""Who a caller is and what it may do: credentials, logins and scopes. Knows nothing of HTTP but the errors."""
