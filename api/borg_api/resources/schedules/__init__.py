"""Schedules as the REST contract has them."""
