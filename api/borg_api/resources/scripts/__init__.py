"""Scripts, which a client chooses from."""
