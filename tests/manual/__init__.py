"""The manual is run: every command in it as it stands, in the order of the page."""
