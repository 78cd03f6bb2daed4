"""The runs of a schedule or a repository: whose turn it is, what they say, what is kept of them."""
