"""Where the bytes are: storage backends and the object stores behind them."""
