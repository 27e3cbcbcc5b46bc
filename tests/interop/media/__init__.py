"""Makes small real media of every kind that a TAMS server has to carry, one module a kind."""
