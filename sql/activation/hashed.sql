-- Values per identifier that look like a hash already.
select
    0 as nothing
{% for column in columns %}
    , count(*) filter (
        where regexp_matches(trim({{ column.source | identifier }}), '^([0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64})$')
    ) as {{ column.name | identifier }}
{% endfor %}
from {{ customers_table | identifier }}
