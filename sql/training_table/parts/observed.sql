-- What happened to each customer in the horizon after each day of the common table expression roles.
observed as (
    select
        roles.snapshot_date,
        events.customer_id,
        {% include kind.observed or "training_table/observed/happened.sql" %} as amount
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
