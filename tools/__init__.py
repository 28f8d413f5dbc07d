"""Tools for whoever changes the code: ``make deps`` runs them."""
