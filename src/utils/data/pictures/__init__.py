"""Files of pictures: formats, decoding, changing and caching pixels, and what a file declares."""
