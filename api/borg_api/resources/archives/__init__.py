"""Archives that there are in a repository."""
