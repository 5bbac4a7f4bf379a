-- Scores of a linear model as one expression: for models of some hundred features.
with prepared as (
{% include "preparation/apply.sql" %}
),

scored as (
    select
        prepared.*
        {# The first summand is 0, so that what follows may begin with any. #}
        , 0e0{% for term in terms %} + {% if term.is_bias %}{{ term.weight | bind }}{% else %}{{ term.weight | bind }} * cast(cast({{ term.feature | identifier }} as {{ "FLOAT" | sql_type }}) as {{ "DOUBLE" | sql_type }}){% endif %}{% endfor %} as summed
    from prepared
)

select
    {% if with_features %}
    scored.*,
    {% else %}
    customer_id,
    {% endif %}
    {% include "predictions/linear/parts/prediction.sql" %} as predicted_target
from scored
