{% if intervals is defined %}
with {% include "predictions/parts/intervals.sql" %}

{% endif %}
select
    {{ session_id | bind }} as session_id,
    {{ as_of | bind }}::date as as_of,
    scores.customer_id,
    predicted_target,
    case
        when predicted_target > avg(predicted_target) over () then {{ above | bind }}
        else {{ below | bind }}
    end as prediction_category{% for reason in reasons %},
    {{ reason | identifier }}
{%- endfor %}
{%- for bound in ["lower_80", "upper_80", "lower_95", "upper_95"] %},
    {% if intervals is defined %}greatest(predicted_target, {{ intervals.floor | bind }}::double) * bins.{{ bound | identifier }}
{%- else %}null::double{% endif %} as {{ bound | identifier }}
{%- endfor %}
{%- if beside is defined %}{% for column in beside.columns %},
    beside.{{ column | identifier }}
{%- endfor %}{% endif %}

from {{ scores | identifier }} as scores
{% if intervals is defined %}
asof left join bins on greatest(scores.predicted_target, 0) >= bins.lowest
{% endif %}
{% if beside is defined %}
left join {{ beside.table | identifier }} as beside on scores.customer_id = beside.customer_id
{% endif %}
order by scores.customer_id
