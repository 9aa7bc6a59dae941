"""Judges a run by its traces alone. Imports nothing of ours, so it cannot share our mistakes."""
