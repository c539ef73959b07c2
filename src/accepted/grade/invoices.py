"""Invoices as large as a check needs them, written past the product's API."""

import psycopg

_ADD = """
WITH made AS (
    INSERT INTO invoices (tenant_id, customer_id, number, status, currency, issued_on, due_on, total_cents)
    SELECT %(tenant)s, min(id), %(number)s, 'open', 'EUR', %(day)s, %(day)s, 0
    FROM customers WHERE tenant_id = %(tenant)s
    RETURNING id
)
INSERT INTO invoice_lines (invoice_id, position, description, quantity, unit_cents, tax_percent, amount_cents)
SELECT id, n, repeat('x', %(wide)s + CASE n WHEN 1 THEN %(more)s ELSE 0 END), 1, 100, 0, 100
FROM made, generate_series(1, %(lines)s) AS n
"""


def write(database: str, tenant: str, day: str, numbers: list[str], lines: int, wide: int, more: int = 0) -> None:
    """One open invoice of that day for each number, of so many lines of `wide` bytes; the first has `more`."""
    same = {"tenant": tenant, "day": day, "lines": lines, "wide": wide, "more": more}
    with psycopg.connect(database, connect_timeout=20) as c, c.cursor() as cursor:
        cursor.executemany(_ADD, [{**same, "number": number} for number in numbers])
