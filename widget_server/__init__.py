"""Undersigned: a coalition's open letter, signed on every partner's own website."""

__version__ = "0.1.0"
