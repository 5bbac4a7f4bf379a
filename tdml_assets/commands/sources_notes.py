"""Paragraphs of ``docs/sources.md`` that a table of keys cannot say: how values are read, with one example per kind.

Belongs here: prose of the page. Does not: the tables of keys (``settings_reference.py``).
"""

NUMBERS_NOTE = """
How a written number is read. Nothing is guessed: what fits none of these lines is `bad_number`.

| the file has | declare | read as |
|---|---|---|
| `1.234,50` | `numbers: {decimal: ",", thousands: "."}` | 1234.50 |
| `1 234,50`, also with no-break blanks | `numbers: {decimal: ",", thousands: " "}` | 1234.50 |
| `1'234.50` | `numbers: {thousands: "'"}` | 1234.50 |
| `12,34,567.89` (India) | `numbers: {thousands: ","}` | 1234567.89 |
| `$12.00`, `12.00 USD` with `currency: USD` | nothing | 12.00 |
| `12.00 €` with `currency: USD` | nothing | set aside: `other_currency` |
| `(12.00)`, `12.00-`, U+2212 for the minus | nothing | -12.00 |
| `'12.00`, guarded by an apostrophe | nothing | 12.00 |
| `1250` of EUR, JPY and KWD | `amount_unit: minor` | 12.50, 1250 and 1.250 |

The digits of a currency's minor unit are those of ISO 4217. With a column of currencies each row has its own.
"""
