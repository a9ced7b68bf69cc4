-- A signed-in client: the cookie comes in the environment, as it is signed anew for each bench.
wrk.headers["Cookie"] = os.getenv("BENCH_COOKIE")
