"""The four routes of 1.x."""
