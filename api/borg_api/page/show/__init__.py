"""Values as people read them: words, times, sizes, pictures."""
