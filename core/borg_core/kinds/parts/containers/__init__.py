"""Containers of other images, beside the runner: what they write is archived, or they are given what was archived."""
