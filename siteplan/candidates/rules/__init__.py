"""Rules of place: what a candidate may break, and the sentence that says so."""
