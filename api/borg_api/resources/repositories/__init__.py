"""Repositories, which a client chooses from."""
