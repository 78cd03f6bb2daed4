"""Where borg keeps what in the folder of a repository."""

CONFIG = "config"
"""Has the repository's id and, unless that is with whoever uses it, its key."""

FIRST_SEGMENTS = "data/0"
"""A folder of segments, which a repository has from its first hour."""
