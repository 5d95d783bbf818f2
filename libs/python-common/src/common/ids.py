"""Identifiers: UUIDv7 (RFC 9562 §5.7), so that they sort by time and index well."""

import uuid_utils


def new_id() -> str:
    return str(uuid_utils.uuid7())
