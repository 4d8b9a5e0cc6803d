"""Networks, training, the saved bundle and the one predictor."""
