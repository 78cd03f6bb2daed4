"""What a BorgRun says: while it waits, works and after it ended."""
