"""The rows of rules, and the tags that they keep."""
