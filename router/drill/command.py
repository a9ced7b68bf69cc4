"""`cutover drill` on the terminal: prints each result as it comes, and puts the outcome on record if asked to."""

from __future__ import annotations

from .. import show
from ..client import Client, CommandError
from .faults import Result, passed
from .run import drill


def print_drill(client: Client, why: str | None, as_json: bool) -> None:
    """With `why`, `client`'s router is told of the outcome.

    Raises:
        CommandError: a fault was not detected.
    """

    def tell(result: Result) -> None:
        if not as_json:
            print(show.drill_row(result), flush=True)

    results = [result.as_json() for result in drill(tell)]
    if as_json:
        print(show.as_json(results))
    if why:
        client.post("/api/v1/drills", {"results": results, "reason": why})
    if not passed(results):
        raise CommandError("not every fault was detected; don't rely on rollback before it is known why")
