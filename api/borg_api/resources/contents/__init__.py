"""What is in archives: folders, files, what was found, what differs."""
