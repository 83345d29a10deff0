"""The edge of the management API: who asks, what they may, how bodies are read, lists paged and errors told."""
