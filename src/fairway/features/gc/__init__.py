"""Garbage collection: what nothing refers to any more is let go, while pushes go on; and what people deleted comes back."""
