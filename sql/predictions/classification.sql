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
    scored.customer_id,
    probability,
    score,
    case
        {% for name, lowest in grades %}
        when score >= {{ lowest | bind }} then {{ name | bind }}
        {% endfor %}
    end as grade{% for reason in reasons %},
    {{ reason | identifier }}
{%- endfor %}
{%- if beside is defined %}{% for column in beside.columns %},
    beside.{{ column | identifier }}
{%- endfor %}{% endif %}

from scored
{% if beside is defined %}
left join {{ beside.table | identifier }} as beside on scored.customer_id = beside.customer_id
{% endif %}
order by scored.customer_id
