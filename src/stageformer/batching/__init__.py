"""Sentences as ids, and the batches that are made of them."""
