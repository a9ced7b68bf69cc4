"""The data plane of one worker: client connections, upstream connections, and the exchanges between them.

No store, no admin API, no logging per request. Nothing here awaits on the path of a request, but connecting.
"""
