"""Metrics with intervals, baselines and the tables behind every figure."""
