with scored as (
    select
        customer_id,
        predicted_target as probability,
        {% for reason in reasons %}
        {{ reason | identifier }},
        {% endfor %}
        -- One decimal: enough for people, who compare scores with the thresholds of the grades; rank by the probability.
        round(1000 * predicted_target) / 10 as score
    from {{ scores | identifier }}
)

select
    {{ session_id | bind }} as session_id,
    {{ as_of | bind }}::date as as_of,
    customer_id,
    probability,
    score,
    case
        {% for name, lowest in grades %}
        when score >= {{ lowest | bind }} then {{ name | bind }}
        {% endfor %}
    end as grade{% for reason in reasons %},
    {{ reason | identifier }}
{%- endfor %}

from scored
order by customer_id
