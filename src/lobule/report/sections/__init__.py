"""The parts of the page, one file each: what they say in sentences and tables, with the run's own numbers in them."""
