"""A model as it is kept and asked: the saved folder, its export, and the one predictor."""
