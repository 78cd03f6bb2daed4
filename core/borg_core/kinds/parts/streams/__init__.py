"""Commands of other images, beside the runner: what they write is archived, or what was archived is given to them."""
