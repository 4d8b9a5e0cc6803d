"""Was this image made by a person or by a generator? Everything the notebooks, command line and app share."""
