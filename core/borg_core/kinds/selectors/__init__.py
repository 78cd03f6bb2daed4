"""How objects of a namespace are chosen by their labels."""
