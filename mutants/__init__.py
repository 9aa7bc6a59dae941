"""Breaks a copy of the project on purpose, one way at a time, and sees that the tests notice."""
