"""What changes a schedule."""
