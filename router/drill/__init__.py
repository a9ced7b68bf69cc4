"""`cutover drill`: does rollback work here and now? Faults in a synthetic canary behind a real router process.

A client of that router like any other. Nothing of it touches the router that serves, which only hears of the outcome.
"""
