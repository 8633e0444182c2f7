"""A key for the whole app."""
