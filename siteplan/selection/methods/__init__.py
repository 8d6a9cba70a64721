"""Ways to choose on a problem: greedy, search, exact; and the bound that proves how far any choice can be off."""
