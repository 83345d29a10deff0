"""What happened is told to others."""
