"""The rollout controller: which share the canary gets, and when it gets none. Pure but for driver.py."""
