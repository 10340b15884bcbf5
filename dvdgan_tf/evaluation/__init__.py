"""Measuring clips: whose, by which network, compared with what."""
