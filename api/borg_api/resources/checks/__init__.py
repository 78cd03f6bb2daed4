"""Checks of a repository: now, at regular times, and what keeps it busy."""
