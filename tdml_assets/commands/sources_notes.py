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

TIMES_NOTE = """
How a time is read:

| the file has | declare | read as |
|---|---|---|
| `2025-07-07T22:30:00Z`, `.123` in some rows, `+02:00`, `+0200` | `timestamp_format: iso8601` | the instant that it names |
| `2025-07-07 22:30:00 Z`, `... +0200` | `timestamp_format: '%Y-%m-%d %H:%M:%S %z'` | the instant that it names |
| `07.07.2025 22:30` and `07.07.2025` | `timestamp_format: ['%d.%m.%Y %H:%M', '%d.%m.%Y']` | local times of `timezone` |
| `1751927400`, `1751927400123`, `1751927400123456` | `timestamp_format: unix`, `unix_ms`, `unix_us` | the instant |
| `45845.9375` (a spreadsheet's date) | `timestamp_format: excel` | 2025-07-07 22:30:00, local, to the second |

`timezone` is for reading times without an offset, `days_in` for the calendar. A shop in Paris whose system writes UTC without a
`Z` declares `timezone: UTC` and `days_in: Europe/Paris`; with `iso8601` and a `Z` in the file, `timezone: Europe/Paris` is enough.
A day without a time stays that day. `updated_at_format` and `recorded_at_format` take the same words. A literal `Z` in a format is
refused where `timezone` is not UTC.
"""

RECORDS_NOTE = """
## Late rows and corrections

Rows that arrive late, returns that are booked back and statuses that change later make the past look better known than it was: a
model that learns from it is measured too well. `recorded_at` names the column that tells when a row, as it is, reached your system:

```yaml
sources:
  orders:
    path: orders-*.csv              # line,who,at,amount,status,loaded_at
    format: csv
    timestamp_format: '%Y-%m-%d %H:%M:%S'
    timezone: Europe/Paris          # of recorded_at, too
    recorded_at: loaded_at
    line_key: [line]                # a corrected line comes again under its key
    currency: EUR
    columns: {customer_id: who, ordered_at: at, amount: amount, order_status: status}
```

- A day sees a row if it was recorded before the day's end, in the zone in which days are counted. Features of every snapshot, the
  histories that recommendations, levels and next orders are learnt from, and the naive forecast see what was recorded by their day.
  What is predicted, such as spend of the horizon, counts what is known at `as_of`.
- Of the rows of one `line_key` a day sees the one recorded last by then; a status that counts as nothing takes the line out from
  that day on. Earlier states are in `raw.replaced_orders` (`raw.replaced_pageviews`, ...). `updated_at` is left out, and lines must
  be read one by one: `line_key` goes with neither `carry` nor totals, refunds and parents of orders. Without `line_key` these may
  be used.
- A session with a date as `as_of`, and each session of `tdml-assets replay`, reads what was recorded by that day; other rows are
  set aside as `recorded_later`. `as_of: latest` is the day of the last order, or the day on which its first order was recorded.
- A row without a readable `recorded_at` is set aside as `bad_recorded_at`: nobody knows from which day it counts. A row recorded
  before it happened counts from the day on which it happened; more than a day is noted.
- `tdml-assets check` says how long after they happened rows were recorded. A table that was filled at once has no past: its
  `recorded_at` is one day, and nothing can be learnt of days before it.
- Sources without `recorded_at` are known from the day on which their rows happened.
"""

CUSTOMERS_NOTE = """
How an id of a customer is read. Without `normalise` it is taken as the file has it, with its blanks and capitals, since ids of some
systems differ only by case; `tdml-assets check` says where ids are fewer without them. What one source normalises holds for all
of them.

| the file has | declare | read as |
|---|---|---|
| `A@x.example`, `a@x.example ` (with a blank) | `customer_id: {column: Email, normalise: [trim, casefold]}` | `a@x.example` |
| `12345`, `12345.0`, `1.2345E4` | `normalise: [integer]` | `12345` |
| `007`, `12345678901234567890` | nothing | as they are |
| `007`, `12345678901234567890` | `normalise: [integer]` | `7`, `12345678901234567890` |
| `1.23457E+15`, or a double from 2^53 on | `normalise: [integer]` | set aside: `rounded_customer`, digits are lost |
| `0`, `Guest`, `nan` for guests | `empty: ["0", guest, nan]` | set aside: `missing_customer` |
| members by number, guests by address | `column: [id, email]` | the first of them that is there and not in `empty` |
"""

IDENTITIES_NOTE = """
Every row of every other source has the person in place of an old id, at the time of the row; a row of `customers`, which has no
time, has the latest. Chains are followed (A to B, B to C). Before the first `valid_from` of an id its rows keep it. The ids are
normalised as those of the sources are.

```yaml
sources:
  identities:
    path: merged_accounts.csv    # old,person,since
    format: csv
    timestamp_format: '%Y-%m-%d'
    columns: {old_id: old, person: person, valid_from: since}
```
"""

PERMISSION_NOTE = """ Read by every sync of a destination, as the files are then; no workflow learns from them. A customer of
`suppression` is sent nowhere, or not to the destination or for the purpose that the line names. Where `consent` is declared,
every destination names its `purpose`; a customer without a consent for it is not sent, one refusal outweighs every consent, and
a list with a line that cannot be read sends nobody. `tdml-assets check` counts both. More: [destinations.md](destinations.md).

```yaml
sources:
  consent:
    path: consents.csv           # customer,purpose,given
    format: csv
    columns: {customer_id: customer, purpose: purpose, allowed: given}
  suppression:
    path: do_not_contact.csv
    format: csv
    columns: {customer_id: customer}
```
"""
