"""Fast drop-in replacements for the readable formulations; they import torch alone."""
