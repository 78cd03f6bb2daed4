"""Bringing an archive back, as both sides see it: what is asked for, and what became of it."""
