-- What happened to each customer in the horizon after each day of the common table expression roles.
observed as (
    select
        roles.snapshot_date,
        events.customer_id,
        {% if kind in ("purchase", "no_purchase") %}
        max((events.units > 0)::integer)
        {% elif kind == "net_spend" %}
        sum(events.amount)
        {% elif kind == "sum" %}
        sum(events.{{ column | identifier }})
        {% elif kind == "count" %}
        count(*)
        {% else %}
        max(1)
        {% endif %} as amount
    from roles
    inner join {{ events_table | identifier }} as events
        on events.{{ day | identifier }} > roles.snapshot_date
        and events.{{ day | identifier }} <= roles.snapshot_date + {{ horizon_days | bind }}::integer
    where true
    {% for name, values in conditions.items() %}
        and events.{{ name | identifier }}::varchar in (select unnest({{ values | bind }}::varchar[]))
    {% endfor %}
    group by roles.snapshot_date, events.customer_id
)
