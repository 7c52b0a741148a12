"""Rivals that should lose: what a number is worth is what stands beside it."""
