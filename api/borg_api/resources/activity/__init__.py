"""What was done, all in one list."""
