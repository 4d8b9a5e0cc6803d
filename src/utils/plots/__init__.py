"""Figures from plain arrays and tables, saved in one style."""
