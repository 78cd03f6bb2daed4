"""What is measured of schedules and repositories: read off their resources, so that a restart of ours loses nothing."""
