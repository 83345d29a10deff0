"""The registry itself: who may do what over the distribution API, the tokens for it, and what happened."""
