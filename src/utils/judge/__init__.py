"""Judging any detector on any labelled folder of pictures, without training."""
