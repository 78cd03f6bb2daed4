"""One archive, read once into a database: its tree, the sizes of its folders, its names."""
