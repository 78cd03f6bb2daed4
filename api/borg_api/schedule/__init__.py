"""Schedules as the REST contract has them: what is asked, what is answered."""
