"""What operators see: JSON log lines and metrics."""
