"""From a schedule and what it refers to, to the native objects: pure functions that return manifests."""
