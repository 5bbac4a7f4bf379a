{# The rows of one file as they are read: every value found, placed in time, and its numbers. #}
lines as (
{% include "raw/lines/" ~ source_format ~ ".sql" %}
),
given as (
    select
        *,
{% for value in values %}
        {% include "raw/parts/value.sql" %} as {{ value.column | identifier }},
{% endfor %}
{% if customer %}
{% include "raw/parts/customer.sql" %}
{% endif %}
{% if old_customer %}
{% with customer = old_customer %}
{% include "raw/parts/customer.sql" %}
{% endwith %}
{% endif %}
{% if key_columns %}
        case
            when {% for column in key_columns %}{{ column | identifier }} is not null{% if not loop.last %} and {% endif %}{% endfor %}

                then cast(json_array({% for column in key_columns %}{{ column | identifier }}{% if not loop.last %}, {% endif %}{% endfor %}) as varchar)
        end as line_key
{% else %}
        cast(null as varchar) as line_key
{% endif %}
    from lines
),
{% if moment and moment.times %}
{% include "raw/parts/moments_of_formats.sql" %}
{% elif moment %}
{% include "raw/parts/moments.sql" %}
{% else %}
placed as (
    select
        *,
        cast(null as timestamp) as moment_utc
    from given
)
{% endif %}
,
{% if money %}
{% include "raw/parts/money.sql" %}
{% else %}
totals as (
    select *
    from placed
)
{% endif %}
,
dated as (
    select
        *,
{% if recorded %}
{% include "raw/parts/recorded.sql" %}
{% endif %}
{% if updated is none and recorded %}
        recorded_at as updated_at
{% elif updated is none %}
        moment_utc as updated_at
{% elif updated.times %}
{% set times = updated.times %}
{% include "raw/parts/readings.sql" %}
{% include "raw/parts/read_times.sql" %},
        timezone('UTC', coalesce({{ times.instant | identifier }}, timezone({{ updated.zone | bind }}, {{ times.local | identifier }}))) as updated_at
{% elif updated.kind == "text" %}
        cast(try_strptime(updated_given, {{ updated.format | bind }}) as timestamp) as updated_at
{% elif updated.kind == "number" %}
        make_timestamp(try_cast(updated_given as bigint)) as updated_at
{% else %}
        try_cast(updated_given as timestamp) as updated_at
{% endif %}
    from totals
)
