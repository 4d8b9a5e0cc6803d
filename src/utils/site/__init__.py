"""A static website from a run: its results, executed notebooks, figures, model card and data, with search."""
