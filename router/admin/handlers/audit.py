"""The audit trail: page by page, and whether it is intact."""

from __future__ import annotations

from dataclasses import asdict

from starlette.responses import Response

from ..answers import answer
from ..models import Audit, AuditQuery, AuditRow, AuditVerification
from ..operation import Call


async def get_audit(call: Call) -> Response:
    query: AuditQuery = call.query
    rows = [AuditRow(**asdict(row)) for row in await call.control.audit(query.limit, query.before)]
    more = len(rows) == query.limit and rows[-1].id > 1
    return answer(Audit(rows=rows, next=rows[-1].id if more else None))


async def verify_audit(call: Call) -> Response:
    outcome = await call.control.verify()
    return answer(AuditVerification(intact=outcome.intact, rows=outcome.rows, problem=outcome.problem))
