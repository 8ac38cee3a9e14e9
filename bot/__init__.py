"""Ears, mouth, and the one place that decides."""
