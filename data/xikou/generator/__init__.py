"""Generator of the synthetic sample city 溪口市 (Xikou); every place, name and number is invented."""
