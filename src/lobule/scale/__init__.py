"""The same work on more than one computer, by Ray."""
