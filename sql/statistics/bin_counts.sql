-- A bin is open on the left and closed on the right; what lies over the last edge is counted under infinity.
with measured as (
    select
    {% for column in edges %}
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
    count(*) as row_count{% for values in edges.values() %},

    histogram({{ ("v" ~ loop.index0) | identifier }}, {{ values | bind }}::double[]) as {{ ("v" ~ loop.index0) | identifier }}
{%- endfor %}

from measured
