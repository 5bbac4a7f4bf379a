{{ config(enabled=recorded_sources() | length > 0) }}
-- No id of a customer holds the character 0, so that an id of a view is nobody's.
{% set days = {'orders': 'ordered_on', 'pageviews': 'viewed_on', 'email_events': 'sent_on'} -%}
with

snapshots as (

    select snapshot_date from {{ source('features', 'snapshots') }}

),

differing as (

    {% for table in recorded_sources() -%}
    {% if not loop.first %}union{% endif %}
    select
        snapshots.snapshot_date,
        late.customer_id

    from snapshots
    inner join {{ ref('stg_' ~ table) }} as late
        on late.{{ days[table] }} <= snapshots.snapshot_date
        and late.recorded_on > snapshots.snapshot_date

    union

    select
        snapshots.snapshot_date,
        replaced.customer_id

    from snapshots
    inner join {{ ref('stg_replaced_' ~ table) }} as replaced
        on replaced.{{ days[table] }} <= snapshots.snapshot_date
        and replaced.recorded_on <= snapshots.snapshot_date
        and replaced.replaced_on > snapshots.snapshot_date
    {% endfor %}
)

select
    snapshot_date,
    customer_id,
    concat(cast(snapshot_date as varchar), chr(0), customer_id) as view_id

from differing
