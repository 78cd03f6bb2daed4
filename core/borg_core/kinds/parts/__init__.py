"""What several kinds are made of, each part written once."""
