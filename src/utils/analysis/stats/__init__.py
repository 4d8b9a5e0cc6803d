"""Numbers with their intervals: metrics, the bootstrap over groups, calibration."""
