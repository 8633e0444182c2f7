"""What FastAPI is shown of the dependency, and what stops an app that uses it wrongly."""
