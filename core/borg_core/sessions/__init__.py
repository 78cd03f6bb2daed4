"""Looking into archives: what a session's pod is made of, how far it has come, for whom it gives way."""
