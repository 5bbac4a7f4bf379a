select
    {{ session_id | bind }} as session_id,
    {{ as_of | bind }}::date as as_of,
    customer_id,
    predicted_target,
    case
        when predicted_target > avg(predicted_target) over () then {{ above | bind }}
        else {{ below | bind }}
    end as prediction_category{% for reason in reasons %},
    {{ reason | identifier }}
{%- endfor %}

from {{ scores | identifier }}
order by customer_id
