"""A repository with all that concerns it, and what the pods on it alone do."""
