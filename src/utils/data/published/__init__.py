"""Datasets in the forms in which others publish them, brought into folders of picture files."""
