"""Typed parameters: one module and one class for each group of ``params.yaml``."""
