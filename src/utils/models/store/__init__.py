"""Models in S3 and their verified copies on this machine."""
