"""Anything that says how likely a picture is AI-generated, ready to be asked."""
