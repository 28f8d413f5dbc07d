"""Pictures of what a model does, as PNG files with the same bytes for the same content."""
