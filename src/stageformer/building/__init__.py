"""Models from parameters and files."""
