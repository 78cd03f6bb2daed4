"""What changes something in the cluster, with the caller's own token."""
