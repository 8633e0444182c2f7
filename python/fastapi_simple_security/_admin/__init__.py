"""The resource API: keys as `/keys`."""
