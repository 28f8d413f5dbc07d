"""What is learned from the saved memory besides a decoder: labels of sentences, and of words."""
