"""What begins a run and what ends one."""
