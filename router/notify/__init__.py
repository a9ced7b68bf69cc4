"""Tells people and programs by webhook what a rollout does; never in the way of the rollout itself."""
