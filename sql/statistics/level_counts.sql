-- One pass: how often every known level of every text column occurs.
select
    count(*) as row_count{% for column, values in levels.items() %}{% set slot = "v" ~ loop.index0 %},

    count({{ column | identifier }}) as {{ (slot ~ "_n") | identifier }}{% for value in values %},

    count(*) filter (where {{ column | identifier }}::varchar = {{ value | bind }}) as {{ (slot ~ "_" ~ loop.index0) | identifier }}
{%- endfor %}
{%- endfor %}

from {{ table | identifier }}
where true
{% for column, value in where.items() %}
    and {{ column | identifier }} = {{ value | bind }}
{% endfor %}
