"""Which archives there are: what a run is asked for, and what it tells, as both sides see it."""
