"""Telling which archives a repository has."""
