"""A talk from a run: its slides as plain data, where everything stands on them, PowerPoint and PDF."""
