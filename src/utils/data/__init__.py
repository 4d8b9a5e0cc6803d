"""From source to split: downloads, manifest, decoding, grouping and the pixel cache."""
