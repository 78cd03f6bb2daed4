"""What a page can do: each action is one operation of REST."""
