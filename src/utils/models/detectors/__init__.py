"""Detectors of others: a table of them, how each reads a picture, and how their files are had."""
