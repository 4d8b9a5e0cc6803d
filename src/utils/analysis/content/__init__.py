"""What is in the pictures, and what mistakes have in common."""
