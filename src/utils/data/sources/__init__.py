"""One door to the datasets: the sample, Kaggle's, and a folder of one's own, all leaving the same layout."""
