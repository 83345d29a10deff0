"""Which images stay: rules that keep what is wanted, and a job that deletes the rest."""
