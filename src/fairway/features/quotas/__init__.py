"""Quotas: how much each project may store, and how much it does."""
