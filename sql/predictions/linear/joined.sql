-- Scores of a linear model by a join with its table of weights: for models of thousands of features, most of them 0 in a row.
with prepared as (
{% include "preparation/apply.sql" %}
),

items as (
{% include "predictions/linear/parts/items.sql" %}
),

scored as (
    select
        items.customer_id,
        {% if dialect == "duckdb" %}
        {# Added in the order of the names, as the wide form does: a parallel sum of doubles differs in its last bits. #}
        sum(weights.weight::double * items.value order by items.place) as summed
        {% else %}
        sum(cast(weights.weight as {{ "DOUBLE" | sql_type }}) * items.value) as summed
        {% endif %}
    from items
    inner join {{ weights | identifier }} as weights on items.feature = weights.feature
    group by items.customer_id
)

select
    {% if with_features %}
    prepared.*,
    {% else %}
    scored.customer_id,
    {% endif %}
    {% include "predictions/linear/parts/prediction.sql" %} as predicted_target
from scored
{% if with_features %}
inner join prepared on scored.customer_id = prepared.customer_id
{% endif %}
