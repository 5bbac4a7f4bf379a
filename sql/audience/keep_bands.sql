-- Band and group of every customer published; nothing while the horizon of an earlier day is running.
with scored as (
    select
        customer_id,
        cast({{ prediction | identifier }} as double) as prediction,
{% if has_grade %}
        'grade ' || grade as band
{% else %}
        'decile ' || lpad(cast((10 * row_number() over (
            partition by {{ prediction | identifier }} is null order by {{ prediction | identifier }}, customer_id
        ) + count(*) over () - 1) // count(*) over () as varchar), 2, '0') as band
{% endif %}
    from {{ predictions | identifier }}
    where session_id = {{ session_id | bind }} and {{ prediction | identifier }} is not null
)

select
    {{ session_id | bind }} as session_id,
    {{ as_of | bind }}::date as as_of,
    {{ target | bind }} as target,
    scored.customer_id,
    scored.band,
    scored.prediction,
    assigned.share,
    assigned.in_control_group
from scored
inner join {{ groups | identifier }} as assigned
    on scored.customer_id = assigned.customer_id and assigned.seed = {{ seed | bind }}::bigint
where
    not exists (
        select 1 from {{ history | identifier }} as earlier
        where
            earlier.target = {{ target | bind }}
            and earlier.as_of < {{ as_of | bind }}::date
            and earlier.as_of + {{ horizon_days | bind }}::integer > {{ as_of | bind }}::date
    )
order by scored.customer_id
