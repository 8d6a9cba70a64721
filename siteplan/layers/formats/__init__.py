"""One reader per format: bytes of a file into a raw table or a raster, with what was found and what was refused."""
