"""What stands in forms, and the bodies of REST that they become."""
