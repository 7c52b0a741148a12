"""What stands in a table, as texts."""

from __future__ import annotations

from lobule.report.cells import Table


def texts(table: Table) -> dict[str, list[str]]:
    return {row.header.text: [cell.text for cell in row.cells] for row in table.rows}
