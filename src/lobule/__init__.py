"""Lobule: leak-proof breast-cancer detection from H&E histopathology images. Research use only."""

__version__ = "0.1.0"
