"""From features and a split to heads and a deployable bundle."""
