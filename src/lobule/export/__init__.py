"""From a bundle to other formats."""
