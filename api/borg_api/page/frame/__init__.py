"""What every page is made with: who asks, how it is answered, and what is done with REST for it."""
