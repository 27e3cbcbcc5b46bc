"""Media bytes: storage backends, and the object stores behind them."""
