"""What can be asked for over HTTP, one package for each kind: its routes, its requests, its answers."""
