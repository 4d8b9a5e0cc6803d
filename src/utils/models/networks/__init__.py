"""The networks themselves, and where their ready-made weights come from."""
