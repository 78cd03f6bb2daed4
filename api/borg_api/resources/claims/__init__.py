"""Claims, and who backs them up."""
