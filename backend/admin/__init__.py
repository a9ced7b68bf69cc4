"""What operators do to a running backend: hand-over and quarantine."""
