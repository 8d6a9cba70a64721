"""Buildings with a duty to have indoor coverage, and how far the outdoor sites reach in."""
