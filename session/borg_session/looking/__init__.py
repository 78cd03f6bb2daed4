"""What is answered from databases of archives."""
