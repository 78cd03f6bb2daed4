"""What the views mean: what is well, what needs somebody, how it went."""
