"""HTTP: the requests that are let in, and what they get."""
