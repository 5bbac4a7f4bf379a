{% set measures = {'net_amount': 'decimal(18, 4)', 'returned_amount': 'decimal(18, 4)', 'units': 'decimal(18, 4)', 'orders': 'bigint'} -%}
with

{{ order_days_at_snapshots() }}

select
    snapshot_date,
    customer_id
    {%- for length in window_days() %}
    {%- for measure, type in measures.items() %},
    cast(
        coalesce(sum({{ measure }}) filter (where {{ in_window('ordered_on', length) }}), 0) as {{ type }}
    ) as {{ measure }}_{{ length }}d
    {%- endfor %}
    {%- endfor %}

from days
where {{ in_window('ordered_on', window_days() | max) }}
group by snapshot_date, customer_id
