-- One row of counts over the attributes, before anybody sees them.
select
    count(*) as row_count
    , count(distinct customer_id) as customers
    , count(*) - count(customer_id) as null_customers
{% for attribute in attributes %}
    , count(*) - count({{ attribute.name | identifier }}) as {{ ("nulls_" ~ loop.index0) | identifier }}
{% if attribute.type == "number" %}
    , count(*) filter (where not isfinite(cast({{ attribute.name | identifier }} as double)))
        as {{ ("not_finite_" ~ loop.index0) | identifier }}
{% else %}
    , 0 as {{ ("not_finite_" ~ loop.index0) | identifier }}
{% endif %}
    , min({{ attribute.name | identifier }}) is not distinct from max({{ attribute.name | identifier }})
        as {{ ("constant_" ~ loop.index0) | identifier }}
{% endfor %}
from {{ table | identifier }}
