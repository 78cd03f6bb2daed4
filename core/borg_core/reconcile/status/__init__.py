"""What objects say about themselves: pure functions from what was observed to their status."""
