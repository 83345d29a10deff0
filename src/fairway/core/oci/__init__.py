"""The nouns of the OCI specifications as values that are valid because they exist."""
