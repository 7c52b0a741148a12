"""From arguments to one call into the library."""
