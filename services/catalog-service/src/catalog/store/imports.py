"""Files of products on their way in: what is left of them, how far they are, what was wrong."""

from collections.abc import Sequence
from datetime import timedelta

import orjson
from sqlalchemy import Connection, Row, Select, delete, func, insert, select, update
from sqlalchemy.exc import NoResultFound

from catalog.domain.imports import (
    ERRORS_KEPT_MAX,
    Chunk,
    Import,
    ImportNotFound,
    ImportState,
    RowError,
)
from catalog.domain.imports import Row as FileRow
from catalog.domain.products import Counts
from catalog.store.tables import product_import_chunks as chunk_table
from catalog.store.tables import product_import_errors as errors
from catalog.store.tables import product_imports as imports

_UNFINISHED = imports.c.state.in_([ImportState.ACCEPTED, ImportState.RUNNING])
_IMPORT = select(
    imports.c.id,
    imports.c.state,
    imports.c.rows_total,
    imports.c.created,
    imports.c.changed,
    imports.c.unchanged,
    imports.c.rejected,
    imports.c.created_at,
    imports.c.finished_at,
)


def add(tx: Connection, import_id: str, by: str, chunks: Sequence[Sequence[FileRow]]) -> Import:
    rows_total = sum(map(len, chunks))
    tx.execute(insert(imports).values(id=import_id, created_by=by, rows_total=rows_total))
    for rows in chunks:
        tx.execute(
            insert(chunk_table).values(
                import_id=import_id,
                first_row=rows[0].number,
                rows=orjson.dumps(
                    [[row.number, row.fields, row.fault, row.pointer] for row in rows]
                ).decode(),
            )
        )
    return get(tx, import_id)


def get(tx: Connection, import_id: str) -> Import:
    """Raises ImportNotFound."""
    return _one(tx, _IMPORT.where(imports.c.id == import_id))


def find(tx: Connection, before: str | None, limit: int) -> list[Import]:
    """At most *limit* imports, the latest first, from before that id on."""
    statement = _IMPORT.where(imports.c.id < before) if before else _IMPORT
    rows = tx.execute(statement.order_by(imports.c.id.desc()).limit(limit))
    return [_import(row) for row in rows]


def next_chunk(tx: Connection) -> Chunk | None:
    """What is to be written next: the first rows that are left of the oldest import."""
    oldest = (
        select(imports.c.id).where(_UNFINISHED).order_by(imports.c.id).limit(1).scalar_subquery()
    )
    row = tx.execute(
        select(chunk_table)
        .where(chunk_table.c.import_id == oldest)
        .order_by(chunk_table.c.first_row)
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    rows = [FileRow(*fields) for fields in orjson.loads(row.rows)]
    return Chunk(row.import_id, row.first_row, rows)


def take(tx: Connection, chunk: Chunk) -> bool:
    """Whether the chunk is this transaction's to write; another worker may have been faster.

    Waits for nobody: who holds the import is writing it.
    """
    held = tx.execute(
        select(imports.c.id)
        .where(imports.c.id == chunk.import_id)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    if held is None:
        return False
    gone = tx.execute(
        delete(chunk_table).where(
            chunk_table.c.import_id == chunk.import_id, chunk_table.c.first_row == chunk.first_row
        )
    )
    return gone.rowcount == 1


def count(tx: Connection, import_id: str, counts: Counts, *, rejected: int) -> None:
    """Add to the import's progress; it is done when no rows are left."""
    left = select(chunk_table.c.first_row).where(chunk_table.c.import_id == import_id).limit(1)
    is_done = tx.execute(left).one_or_none() is None
    tx.execute(
        update(imports)
        .where(imports.c.id == import_id)
        .values(
            state=ImportState.DONE if is_done else ImportState.RUNNING,
            finished_at=func.now() if is_done else None,
            created=imports.c.created + counts.created,
            changed=imports.c.changed + counts.changed,
            unchanged=imports.c.unchanged + counts.unchanged,
            rejected=imports.c.rejected + rejected,
        )
    )


def fail(tx: Connection, import_id: str) -> None:
    """Give the import up; what is written stays written."""
    tx.execute(delete(chunk_table).where(chunk_table.c.import_id == import_id))
    tx.execute(
        update(imports)
        .where(imports.c.id == import_id)
        .values(state=ImportState.FAILED, finished_at=func.now())
    )


def note_errors(tx: Connection, import_id: str, found: Sequence[RowError]) -> None:
    """Keep the first ERRORS_KEPT_MAX of an import."""
    kept = tx.execute(
        select(func.coalesce(func.max(errors.c.position), 0)).where(errors.c.import_id == import_id)
    ).scalar_one()
    rows = [
        {
            "import_id": import_id,
            "position": position,
            "row": error.row,
            "sku": error.sku,
            "pointer": error.pointer,
            "detail": error.detail,
        }
        for position, error in enumerate(found, start=kept + 1)
        if position <= ERRORS_KEPT_MAX
    ]
    if rows:
        tx.execute(insert(errors), rows)


def errors_after(
    tx: Connection, import_id: str, after: int, limit: int
) -> list[tuple[int, RowError]]:
    """At most *limit* faults with their positions, in the order of the file."""
    c = errors.c
    rows = tx.execute(
        select(c.position, c.row, c.sku, c.pointer, c.detail)
        .where(c.import_id == import_id, c.position > after)
        .order_by(c.position)
        .limit(limit)
    )
    return [(position, RowError(*rest)) for position, *rest in rows]


def forget(tx: Connection, older_than: timedelta, limit: int) -> int:
    """Delete at most *limit* imports that were finished longer ago; how many went."""
    old = (
        select(imports.c.id)
        .where(imports.c.finished_at < func.now() - older_than)
        .order_by(imports.c.id)
        .limit(limit)
    )
    return tx.execute(delete(imports).where(imports.c.id.in_(old))).rowcount


def _one(tx: Connection, statement: Select[tuple[object, ...]]) -> Import:
    try:
        return _import(tx.execute(statement).one())
    except NoResultFound as error:
        raise ImportNotFound("there is none with that id") from error


def _import(row: Row[*tuple[object, ...]]) -> Import:
    import_id, state, *rest = row
    return Import(str(import_id), ImportState(state), *rest)  # type: ignore[arg-type]
