"""The rows of retention: policies, what they are asked about, and what runs decided."""
