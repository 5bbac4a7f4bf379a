-- Rows of one batch; the table goes with the transaction.
create temporary table {{ staging | identifier }}
on commit drop
as
select
    {{ key | identifier }}
{% for column in columns %}
    , {{ column.name | identifier }}
{% endfor %}
from {{ table | identifier }}
with no data
