"""What kinds say about themselves, where that is much."""
