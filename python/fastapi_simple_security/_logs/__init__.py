"""Keeps keys out of logs and traces."""
