"""Formats of exchange files: a module each, which writes layers and reads them back."""
