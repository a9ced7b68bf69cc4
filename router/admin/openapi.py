"""The OpenAPI 3.1 document, made from the table of operations and their models; nothing in it is written twice."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from ..version import VERSION
from .auth import Role
from .models import Error
from .operation import Operation

_REFERENCE = "#/components/schemas/{model}"

#: A part of a path that is a number.
_PARAMETER = re.compile(r"\{(\w+)\}")

Mode = Literal["validation", "serialization"]
Schemas = Mapping[Any, dict[str, Any]]  # (model, mode) -> schema


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """The whole document as a JSON tree."""
    schemas, definitions = models_json_schema(_models(operations), ref_template=_REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _describe(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "cutover admin API",
            "version": VERSION,
            "summary": "Operate a canary router: weight, routes, status and audit trail.",
        },
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "token of an operator or a viewer"}
            },
        },
    }


def _models(operations: Sequence[Operation]) -> list[tuple[type[BaseModel], Mode]]:
    found: dict[tuple[type[BaseModel], Mode], None] = {(Error, "serialization"): None}
    for operation in operations:
        if not isinstance(operation.answer, str):
            found[operation.answer, "serialization"] = None
        if operation.body:
            found[operation.body, "validation"] = None
    return list(found)


def _describe(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.handler.__name__,
        "summary": operation.summary,
        "responses": {"200": _success(operation, schemas)}
        | {str(status): _failure(status, schemas) for status in _statuses(operation)},
    }
    if operation.role is not Role.ANYONE:
        described["security"] = [{"bearer": []}]
    parameters = _parameters(operation)
    if parameters:
        described["parameters"] = parameters
    if operation.body:
        content = {"application/json": {"schema": schemas[operation.body, "validation"]}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _success(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    if isinstance(operation.answer, str):
        content: dict[str, Any] = {operation.answer: {}}
    else:
        content = {"application/json": {"schema": schemas[operation.answer, "serialization"]}}
    described: dict[str, Any] = {"description": "OK", "content": content}
    if operation.versioned:
        described["headers"] = {
            "ETag": {"description": "revision of the state, for If-Match", "schema": {"type": "string"}}
        }
    return described


def _statuses(operation: Operation) -> list[int]:
    statuses = {500, *operation.statuses}
    if operation.role is not Role.ANYONE:
        statuses |= {401, 429}
    if operation.role is Role.OPERATOR:
        statuses.add(403)
    if operation.query:
        statuses.add(422)
    if operation.body:
        statuses |= {400, 413, 415, 422}
    if operation.versioned and operation.method != "GET":
        statuses.add(412)
    return sorted(statuses)


def _failure(status: int, schemas: Schemas) -> dict[str, Any]:
    content = {"application/json": {"schema": schemas[Error, "serialization"]}}
    described: dict[str, Any] = {"description": HTTPStatus(status).phrase, "content": content}
    if status == 401:
        described["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    if status == 429:
        described["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "integer"}}
        for name in _PARAMETER.findall(operation.path)
    ]
    if operation.query:
        for name, schema in operation.query.model_json_schema()["properties"].items():
            parameters.append({"name": name, "in": "query", "schema": schema})
    if operation.versioned and operation.method != "GET":
        parameters.append(
            {
                "name": "If-Match",
                "in": "header",
                "description": "ETag that the change is based on; without it the change is made in any case",
                "schema": {"type": "string"},
            }
        )
    return parameters
