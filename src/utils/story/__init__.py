"""What the notebooks found, in sentences: each function takes plain numbers and tables and returns words."""
