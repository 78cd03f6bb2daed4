"""What begins a restore or a preview of one, and what ends it."""
