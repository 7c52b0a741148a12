"""A nested search for settings: what is chosen is scored on cases that no part of the choice has seen."""
