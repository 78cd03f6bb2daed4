"""Looking into archives: what operator and facade tell a session's pod, and what it answers over HTTP."""
