"""Rows of webhooks: policies, what waits for their targets, and what waits for the operator's endpoints."""
