"""Roles that are made here, beside the five that every server has."""
