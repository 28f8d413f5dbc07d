"""Tools for whoever changes the code."""
