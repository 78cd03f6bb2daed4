"""What a restore would do to its target as it is now, and whether it can."""
