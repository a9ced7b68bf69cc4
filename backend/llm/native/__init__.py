"""The three providers that the product speaks to in their own words, each as data and pure functions.

No HTTP, no key lookup and no clock here: `..upstream` does what a `Call` says.
"""
