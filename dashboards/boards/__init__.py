"""One module a dashboard; each holds nothing but its table."""
