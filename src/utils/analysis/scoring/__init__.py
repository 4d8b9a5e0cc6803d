"""Scoring pictures with finished models, and keeping what came out."""
