{# To and from UTC by the count of microseconds, which costs nothing: timezone() asks the calendar of a zone for every row. #}
read_times as (
    select
        *,
{% if moment.reading == "local_text" %}
        try_strptime(moment_given, {{ moment.format | bind }}) as moment_read
{% elif moment.reading == "instant_text" %}
        -- The warehouse's %z takes no Z.
        coalesce(
            try_strptime(moment_given, {{ moment.format | bind }}),
            case when right(moment_given, 1) in ('Z', 'z') then try_strptime(left(moment_given, -1) || '+00', {{ moment.format | bind }}) end
        ) as moment_read
{% elif moment.reading == "unix" %}
        case
            when try_cast(moment_given as double) / {{ moment.unix_units_per_second | bind }} between -62135596800 and 253402214400
                then to_timestamp(try_cast(moment_given as double) / {{ moment.unix_units_per_second | bind }})
        end as moment_read
{% elif moment.reading == "instant" %}
        moment_given as moment_read
{% else %}
        try_cast(moment_given as timestamp) as moment_read
{% endif %}
    from given
),
-- Times that no calendar here can place (infinity, years beyond 9999) are unreadable.
instants as (
    select
        *,
{% if moment.reading in ["local_text", "local", "date"] %}
        case
            when moment_read between timestamp '0001-01-02' and timestamp '9999-12-30' then moment_read
        end as local_time,
        {% if moment.zone == "UTC" %}make_timestamptz(epoch_us({% else %}timezone({{ moment.zone | bind }}, {% endif %}case
            when moment_read between timestamp '0001-01-02' and timestamp '9999-12-30' then moment_read
        end){% if moment.zone == "UTC" %}){% endif %} as instant
    from read_times
),
twins as (
    select
        *,
{% if moment.shifts_minutes %}
        -- The warehouse moves a skipped local time forward and reads a repeated one as its later instant, without a word.
        {{ moment.is_day | bind }} = false and timezone({{ moment.zone | bind }}, instant) <> local_time as is_skipped,
        coalesce(
{% for minutes in moment.shifts_minutes %}
            case
                when timezone({{ moment.zone | bind }}, instant - to_minutes({{ minutes | bind }})) = local_time
                    then instant - to_minutes({{ minutes | bind }})
                when timezone({{ moment.zone | bind }}, instant + to_minutes({{ minutes | bind }})) = local_time
                    then instant + to_minutes({{ minutes | bind }})
            end{% if not loop.last %},{% endif %}

{% endfor %}
        ) as twin
{% else %}
        false as is_skipped,
        cast(null as timestamptz) as twin
{% endif %}
    from instants
),
{% else %}
        case
            when moment_read between timestamptz '0001-01-02 00:00:00+00' and timestamptz '9999-12-30 00:00:00+00' then moment_read
        end as instant
    from read_times
),
twins as (
    select
        *,
        {% if moment.zone == "UTC" %}make_timestamp(epoch_us(instant)){% else %}timezone({{ moment.zone | bind }}, instant){% endif %} as local_time,
        false as is_skipped,
        cast(null as timestamptz) as twin
    from instants
),
{% endif %}
placed as (
    select
        *,
{% if moment.policy == "later" %}
        make_timestamp(epoch_us(greatest(instant, coalesce(twin, instant)))) as moment_utc,
{% else %}
        make_timestamp(epoch_us(least(instant, coalesce(twin, instant)))) as moment_utc,
{% endif %}
{% if moment.days_in is none %}
        cast(local_time as date) as moment_on
{% else %}
        cast(timezone({{ moment.days_in | bind }}, make_timestamptz(epoch_us(moment_utc))) as date) as moment_on
{% endif %}
    from twins
)
