{# When a row was recorded, and the day of it in the zone that days are counted in. #}
{% if recorded.times %}
{% set times = recorded.times %}
{% include "raw/parts/readings.sql" %}
{% include "raw/parts/read_times.sql" %},
{% else %}
        {% if recorded.kind == "instant" %}cast(null as timestamp){% else %}try_cast(recorded_given as timestamp){% endif %} as recorded_given_local,
        {% if recorded.kind == "instant" %}recorded_given{% else %}cast(null as timestamptz){% endif %} as recorded_given_instant,
        {{ (recorded.kind == "date") | bind }} as recorded_given_is_day,
{% endif %}
        coalesce(
            recorded_given_instant,
            timezone({{ recorded.zone | bind }}, case
                when recorded_given_local between timestamp '0001-01-02' and timestamp '9999-12-30' then recorded_given_local
            end)
        ) as recorded_instant,
        case
            when recorded_instant between timestamptz '0001-01-02 00:00:00+00' and timestamptz '9999-12-30 00:00:00+00'
                then timezone('UTC', recorded_instant)
        end as recorded_at,
        -- A day without a time is that day in every zone.
        case
            when recorded_at is null then null
            when recorded_given_is_day then cast(recorded_given_local as date)
            else cast(timezone({{ recorded.days_in | bind }}, recorded_instant) as date)
        end as recorded_on,
