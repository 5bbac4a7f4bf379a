-- Rows of the last build of customers of whom nothing changed, with those of the others, computed again.
create or replace table {{ target | identifier }} as
select kept.*{% if constants %} replace (
    {% for name, constant in constants.items() %}
    {{ constant.value | bind }}::{{ constant.type | sql_type }} as {{ name | identifier }}{% if not loop.last %},{% endif %}

    {% endfor %}
){% endif %}

from {{ target | identifier }} as kept
anti join {{ changed | identifier }} as changed
    on kept.customer_id = changed.customer_id
{% if has_days %}
where kept.snapshot_date = {{ last_day | bind }}::date
{% endif %}

union all by name

select * from {{ recomputed | identifier }}
