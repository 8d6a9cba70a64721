"""How sure a share or a village is."""
