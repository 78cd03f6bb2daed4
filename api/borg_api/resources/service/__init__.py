"""The facade itself: its health, its metrics, its documentation."""
