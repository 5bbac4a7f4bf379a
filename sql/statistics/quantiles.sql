-- Observed values at the probabilities, so that a value met at two of them is one that many rows share.
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
{% for column in columns %}
    quantile_disc({{ ("v" ~ loop.index0) | identifier }}, {{ probabilities | bind }}::double[])
        as {{ ("v" ~ loop.index0) | identifier }}{% if not loop.last %},{% endif %}

{% endfor %}
from measured
