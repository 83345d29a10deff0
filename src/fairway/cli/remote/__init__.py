"""Commands that talk to a hub over its API, from anybody's machine, and know nothing of its database."""
