-- One pass over the table: one row, the moments of every numeric column side by side. What is not finite counts as missing.
with measured as (
    select
    {% for column in columns %}
        case when isfinite({{ column | identifier }}::double) then {{ column | identifier }}::double end
            as {{ ("v" ~ loop.index0) | identifier }}{% if not loop.last %},{% endif %}

    {% endfor %}
    from {{ table | identifier }}
    where true
    {% for column, value in where.items() %}
        and {{ column | identifier }} = {{ value | bind }}
    {% endfor %}
)

select
    count(*) as row_count{% for column in columns %}{% set slot = "v" ~ loop.index0 %},

    count({{ slot | identifier }}) as {{ (slot ~ "_n") | identifier }},
    avg({{ slot | identifier }}) as {{ (slot ~ "_mean") | identifier }},
    stddev_pop({{ slot | identifier }}) as {{ (slot ~ "_sd") | identifier }},
    min({{ slot | identifier }}) as {{ (slot ~ "_min") | identifier }},
    max({{ slot | identifier }}) as {{ (slot ~ "_max") | identifier }}
{%- endfor %}

from measured
