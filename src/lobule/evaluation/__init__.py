"""From predictions, wherever they were made, to metrics."""
