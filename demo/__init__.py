"""One machine: the whole service under one small supervisor, and a job to watch."""
