"""Removing what nothing refers to any more."""
