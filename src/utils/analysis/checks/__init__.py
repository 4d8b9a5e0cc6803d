"""How far a number can be trusted: shortcuts, damage, seeds, and sources that training never met."""
