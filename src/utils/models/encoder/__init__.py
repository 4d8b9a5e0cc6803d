"""Frozen encoders with small heads on them: features, fitting, choosing, and the runtime."""
