// Empty: with it, Go takes functions without a body, whose code go:linkname finds elsewhere.
