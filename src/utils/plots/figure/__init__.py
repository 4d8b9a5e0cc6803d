"""What every figure shares: style, saving, rows of pictures."""
