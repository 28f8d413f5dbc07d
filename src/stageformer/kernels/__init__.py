"""Fast drop-in replacements for the readable formulations; they import only torch."""
