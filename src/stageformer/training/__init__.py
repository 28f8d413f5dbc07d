"""Training: batches, loss, schedule, and the one loop that every training stage uses."""
