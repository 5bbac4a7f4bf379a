{# As moments.sql, where times are written in one of several formats: some are local times, others instants. #}
read_times as (
    select
        *,
{% set times = moment.times %}
{% include "raw/parts/readings.sql" %}
{% include "raw/parts/read_times.sql" %}
    from given
),
-- Times that no calendar here can place (infinity, years beyond 9999) are unreadable.
instants as (
    select
        *,
        case
            when {{ times.local | identifier }} between timestamp '0001-01-02' and timestamp '9999-12-30' then {{ times.local | identifier }}
        end as local_given,
        case
            when {{ times.instant | identifier }} between timestamptz '0001-01-02 00:00:00+00' and timestamptz '9999-12-30 00:00:00+00'
                then {{ times.instant | identifier }}
        end as instant_given,
{% if moment.zone == "UTC" %}
        coalesce(local_given, make_timestamp(epoch_us(instant_given))) as local_time,
        coalesce(instant_given, make_timestamptz(epoch_us(local_given))) as instant
{% else %}
        coalesce(local_given, timezone({{ moment.zone | bind }}, instant_given)) as local_time,
        coalesce(instant_given, timezone({{ moment.zone | bind }}, local_given)) as instant
{% endif %}
    from read_times
),
twins as (
    select
        *,
{% if moment.shifts_minutes %}
        coalesce(not {{ times.is_day | identifier }} and timezone({{ moment.zone | bind }}, instant) <> local_given, false) as is_skipped,
        coalesce(
{% for minutes in moment.shifts_minutes %}
            case
                when timezone({{ moment.zone | bind }}, instant - to_minutes({{ minutes | bind }})) = local_given
                    then instant - to_minutes({{ minutes | bind }})
                when timezone({{ moment.zone | bind }}, instant + to_minutes({{ minutes | bind }})) = local_given
                    then instant + to_minutes({{ minutes | bind }})
            end{% if not loop.last %},{% endif %}

{% endfor %}
        ) as other_instant,
        case when not {{ times.is_day | identifier }} then other_instant end as twin
{% else %}
        false as is_skipped,
        cast(null as timestamptz) as other_instant,
        cast(null as timestamptz) as twin
{% endif %}
    from instants
),
placed as (
    select
        *,
{% if moment.policy == "later" %}
        make_timestamp(epoch_us(case
            when {{ times.is_day | identifier }} then least(instant, coalesce(other_instant, instant))
            else greatest(instant, coalesce(twin, instant))
        end)) as moment_utc,
{% else %}
        make_timestamp(epoch_us(least(instant, coalesce(other_instant, instant)))) as moment_utc,
{% endif %}
{% if moment.days_in is none %}
        cast(local_time as date) as moment_on
{% else %}
        -- A day without a time is that day in every zone.
        case
            when {{ times.is_day | identifier }} then cast(local_time as date)
            else cast(timezone({{ moment.days_in | bind }}, make_timestamptz(epoch_us(moment_utc))) as date)
        end as moment_on
{% endif %}
    from twins
)
