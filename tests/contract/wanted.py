"""Where our answer is meant to differ from Go's, step by step, with the reason (backend.md, "Differences")."""

from __future__ import annotations

from dataclasses import replace

from tests.contract.steps import Response, Step

#: Step id → why it is not as recorded.
WANTED = {
    "health": "/health is new: public, so that a load balancer can ask (difference 7)",
    "health signed in": "/health is new (difference 7)",
    "p3 sign-out clears the cookie": "the cookie is cleared on the domain it was set for, too (difference 5)",
}


def expected(step: Step) -> Response:
    """The recorded answer, changed where a difference is wanted."""
    answer = step.response
    if step.id.startswith("health"):
        headers = [(name, value) for name, value in answer.headers if name != "content-length"]
        return replace(answer, status=200, headers=headers, body='{"status": "", "services": {}, "details": {}}')
    if step.id == "p3 sign-out clears the cookie":
        with_domain = "session=; Path=/; Domain=example.com; Max-Age=0; Expires=; HttpOnly; Secure; SameSite=Strict"
        return replace(answer, headers=[*answer.headers, ("set-cookie", with_domain)])
    return answer


def volatile(step: Step) -> tuple[str, ...]:
    """Places of which only the type counts; the health of a backend isn't in the record."""
    return (*step.volatile, "status", "services", "details") if step.id.startswith("health") else step.volatile
