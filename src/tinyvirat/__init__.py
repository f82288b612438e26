"""Recognise actions too small to see: low-resolution video action recognition."""

__version__ = "0.1.0"
