"""What a webhook of a project says about an event: pure functions from facts to bytes, which are serialised and never templated."""
