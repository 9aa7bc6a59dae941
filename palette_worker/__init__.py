"""Renders one colorway per task: claim, fetch, render, store, finish."""
