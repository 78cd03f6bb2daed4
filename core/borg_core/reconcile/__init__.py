"""From what is observed to what is to be done: pure functions of (desired, observed, now)."""
