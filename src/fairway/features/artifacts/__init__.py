"""Repositories, artifacts, tags and references."""
