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
{%- if beside is defined %}{% for column in beside.columns %},
    beside.{{ column | identifier }}
{%- endfor %}{% endif %}

from {{ scores | identifier }} as scores
{% if beside is defined %}
left join {{ beside.table | identifier }} as beside on scores.customer_id = beside.customer_id
{% endif %}
order by scores.customer_id
