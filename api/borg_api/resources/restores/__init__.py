"""Restores and previews of them."""
