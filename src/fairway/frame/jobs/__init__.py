"""Work in the background: queued with the change that causes it, run by whoever is alive, retried, scheduled and stopped."""
