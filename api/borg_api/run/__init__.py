"""Runs, in the shapes in which Borg UI shows its backup jobs."""
