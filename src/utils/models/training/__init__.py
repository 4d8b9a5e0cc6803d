"""Training a network on cached pixels."""
