"""Copies of claims: the volumes of which they are read, the snapshots behind some of them, what is said of both."""
