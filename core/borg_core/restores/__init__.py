"""Planning restores: pure functions over a BorgRestore, its runs, and what uses the claim that is restored into."""
