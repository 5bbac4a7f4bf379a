-- One pass: Pearson's correlation of every column with the target, over the rows that have both.
with measured as (
    select
        case when isfinite({{ target | identifier }}::double) then {{ target | identifier }}::double end as y{% for column in columns %},

        case when isfinite({{ column | identifier }}::double) then {{ column | identifier }}::double end
            as {{ ("v" ~ loop.index0) | identifier }}
    {%- endfor %}

    from {{ table | identifier }}
    where true
    {% for column, value in where.items() %}
        and {{ column | identifier }} = {{ value | bind }}
    {% endfor %}
)

select
    min(y) as target_min,
    max(y) as target_max{% for column in columns %}{% set slot = "v" ~ loop.index0 %},

    regr_count(y, {{ slot | identifier }}) as {{ (slot ~ "_n") | identifier }},
    min({{ slot | identifier }}) as {{ (slot ~ "_min") | identifier }},
    max({{ slot | identifier }}) as {{ (slot ~ "_max") | identifier }},
    corr(y, {{ slot | identifier }}) as {{ (slot ~ "_corr") | identifier }}
{%- endfor %}

from measured
