"""Runs and their logs."""
