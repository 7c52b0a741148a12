"""Reporting checklists: what they ask for, in our own words, and what a run knows of it."""
