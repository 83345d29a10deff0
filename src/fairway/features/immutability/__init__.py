"""Rules that keep tags where they are."""
