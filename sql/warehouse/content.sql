-- What a table holds, whatever the order of its rows: equal rows give equal figures.
select
    count(*) as row_count,
    coalesce(sum(hash(content)), 0) as content
from (
    select
        {% for column in columns %}
        {{ column | identifier }}{% if not loop.last %},{% endif %}

        {% endfor %}
    from {{ table | identifier }}
    where true
    {% for column, value in key.items() %}
        and {{ column | identifier }} is not distinct from {{ value | bind }}
    {% endfor %}
) as content
