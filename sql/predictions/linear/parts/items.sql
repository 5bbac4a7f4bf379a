{# One row per customer and feature that is not 0. The constant is the feature 0. #}
{% if dialect == "duckdb" %}
select customer_id, feature, place, value
from (
    select
        customer_id
        , unnest([{% for name in in_order %}{{ name | bind }}{% if not loop.last %}, {% endif %}{% endfor %}]) as feature
        , unnest([{% for name in in_order %}{{ loop.index | bind }}{% if not loop.last %}, {% endif %}{% endfor %}]) as place
        , unnest([{% for name in in_order %}{% if name == bias %}1e0{% else %}cast(cast({{ name | identifier }} as {{ "FLOAT" | sql_type }}) as {{ "DOUBLE" | sql_type }}){% endif %}{% if not loop.last %}, {% endif %}{% endfor %}]) as value
    from prepared
) as exploded
where value <> 0
{%- elif dialect == "trino" %}
select prepared.customer_id, exploded.feature, exploded.value
from prepared
cross join unnest(
    array[{% for name in features %}{{ name | bind }}, {% endfor %}{{ bias | bind }}],
    array[{% for name in features %}cast(cast({{ name | identifier }} as {{ "FLOAT" | sql_type }}) as {{ "DOUBLE" | sql_type }}), {% endfor %}1e0]
) as exploded (feature, value)
where exploded.value <> 0
{%- else %}
select prepared.customer_id, exploded.feature, exploded.value
from prepared
lateral view explode(map(
    {% for name in features %}
    {{ name | bind }}, cast(cast({{ name | identifier }} as {{ "FLOAT" | sql_type }}) as {{ "DOUBLE" | sql_type }}),
    {% endfor %}
    {{ bias | bind }}, cast(1 as {{ "DOUBLE" | sql_type }})
)) exploded as feature, value
where exploded.value <> 0
{%- endif %}
