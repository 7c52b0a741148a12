"""Lobule beside what a user would pick instead, measured in one run; one file a question."""
