"""Kubernetes' own objects as far as this project looks at them: slim and frozen, each with the parser that makes it."""
