"""Exchange files: master layers under profiles, in the formats that bureaus, operators and designers ask for."""
