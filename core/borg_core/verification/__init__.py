"""Checks and drills of a repository: what is asked for, what they told, and what damage holds back."""
