"""A table as CSV, one line for each number, for whoever computes with it."""

import csv
import io

from plots.tables.table import Table

COLUMNS = (
    "table section kind model stands_for settings column metric shown value low high seeds "
    "synthetic notes source cells"
).split()


def tidy(table: Table) -> str:
    """A header, then a line for each value; absent entries have none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for section in table.sections:
        for row in section.rows:
            settings = "; ".join(
                f"{name}={value}"
                for name, value in zip(table.settings, row.settings, strict=True)
                if value
            )
            for column, entry in zip(table.columns, row.entries, strict=True):
                for metric, value in zip(table.metrics, entry, strict=False):
                    writer.writerow(
                        [table.name, section.title, row.kind, row.label, row.stands_for, settings]
                        + [column, metric, value.text, value.number, value.low, value.high]
                        + [" ".join(map(str, value.seeds)), row.synthetic]
                        + [" ".join((*row.notes, *value.notes)), row.source, " ".join(row.cells)]
                    )
    return text.getvalue()
