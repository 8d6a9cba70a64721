"""Where a row lies: coordinates in tables, zones and datums, shapes mended, clipped to the study."""
