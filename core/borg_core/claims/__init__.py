"""Claims by label: which are backed up, by which schedules, and which by none."""
