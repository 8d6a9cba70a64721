"""The three-year story of the sample city: what the register is told, step by step."""
