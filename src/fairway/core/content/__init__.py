"""Places images are read from and written to."""
