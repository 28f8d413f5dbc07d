"""Greedy and beam search in batches, and the probability of given translations."""
