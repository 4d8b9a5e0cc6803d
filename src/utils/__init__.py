"""Shared logic, grouped by role: data, models, analysis and plots."""
