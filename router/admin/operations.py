"""Every operation of the admin API in one table. Routes, checks and the OpenAPI document are all made from it."""

from __future__ import annotations

from ..rollout.status import RolloutStatus
from ..status import Status
from ..table import ROUTES_BYTES
from .auth import Role
from .handlers import audit, events, pages, probes, rollout, routes, status, weight
from .models import (
    Alive,
    Audit,
    AuditQuery,
    AuditVerification,
    Command,
    DecisionQuery,
    Decisions,
    Drill,
    DrillRecord,
    Explained,
    RolloutStart,
    Routes,
    RoutesChange,
    Weight,
    WeightChange,
)
from .operation import Operation


def operations(open_metrics: bool) -> tuple[Operation, ...]:
    """The table; `open_metrics` lets anyone read /metrics, /healthz and /readyz."""
    anyone, viewer, operator = Role.ANYONE, Role.VIEWER, Role.OPERATOR
    monitor = anyone if open_metrics else viewer
    return (
        Operation("GET", "/api/v1/status", status.get_status, "State of the router", viewer, Status, versioned=True),
        Operation("GET", "/api/v1/weight", weight.get_weight, "The canary's weight", viewer, Weight, versioned=True),
        Operation(
            "PUT",
            "/api/v1/weight",
            weight.put_weight,
            "Set the canary's weight",
            operator,
            Weight,
            body=WeightChange,
            versioned=True,
            statuses=(409, 503),
        ),
        Operation("GET", "/api/v1/routes", routes.get_routes, "Routes in force", viewer, Routes, versioned=True),
        Operation(
            "PUT",
            "/api/v1/routes",
            routes.put_routes,
            "Replace all routes",
            operator,
            Routes,
            body=RoutesChange,
            body_max=ROUTES_BYTES,
            versioned=True,
            statuses=(503,),
        ),
        Operation(
            "GET",
            "/api/v1/rollout",
            rollout.get_rollout,
            "The rollout that runs or ran last",
            viewer,
            RolloutStatus,
            versioned=True,
            statuses=(404,),
        ),
        Operation(
            "POST",
            "/api/v1/rollouts",
            rollout.start_rollout,
            "Start a rollout",
            operator,
            RolloutStatus,
            body=RolloutStart,
            versioned=True,
            statuses=(409, 503),
        ),
        *(
            Operation(
                "POST",
                f"/api/v1/rollout/{name}",
                handler,
                summary,
                operator,
                RolloutStatus,
                body=Command,
                versioned=True,
                statuses=(409, 503),
            )
            for name, handler, summary in (
                ("pause", rollout.pause_rollout, "Hold the step; the weight stays"),
                ("resume", rollout.resume_rollout, "Go on after a pause"),
                ("promote", rollout.promote_rollout, "Go to the next step now"),
                ("rollback", rollout.rollback_rollout, "Set the weight to 0 and end the rollout"),
                ("abort", rollout.abort_rollout, "End the rollout; the weight stays"),
            )
        ),
        Operation(
            "POST",
            "/api/v1/drills",
            rollout.record_drill,
            "Put a rollback drill on record",
            operator,
            Drill,
            body=DrillRecord,
            statuses=(503,),
        ),
        Operation(
            "GET",
            "/api/v1/decisions",
            rollout.get_decisions,
            "What was decided",
            viewer,
            Decisions,
            query=DecisionQuery,
            statuses=(503,),
        ),
        Operation(
            "GET",
            "/api/v1/decisions/{id}/explain",
            rollout.explain_decision,
            "Why it was decided",
            viewer,
            Explained,
            statuses=(404, 503),
        ),
        Operation(
            "GET",
            "/api/v1/events",
            events.get_events,
            "The status every second and each decision at once, as server-sent events",
            viewer,
            "text/event-stream",
            statuses=(503,),
        ),
        Operation(
            "GET",
            "/api/v1/audit",
            audit.get_audit,
            "Who changed what, when and why",
            viewer,
            Audit,
            query=AuditQuery,
            statuses=(503,),
        ),
        Operation(
            "GET",
            "/api/v1/audit/verification",
            audit.verify_audit,
            "Is the audit trail intact",
            viewer,
            AuditVerification,
            statuses=(503,),
        ),
        Operation("GET", "/healthz", probes.healthz, "Is the process alive", monitor, Alive),
        Operation("GET", "/readyz", probes.readyz, "Can it take traffic", monitor, Alive, statuses=(503,)),
        Operation("GET", "/metrics", status.metrics, "Prometheus metrics", monitor, "text/plain"),
        Operation("GET", "/openapi.json", pages.openapi, "This document", anyone, "application/json"),
        Operation("GET", "/", pages.index, "What this is", anyone, "text/html"),
    )
