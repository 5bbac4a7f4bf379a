{# Reads one file, places every row in time and judges it. Rows stay what they are: text is cast only by try_cast. #}
insert into staged_rows by name
with
lines as (
{% include "raw/parts/lines.sql" %}
),
given as (
    select
        *,
{% for value in values %}
        {% include "raw/parts/value.sql" %} as {{ value.column | identifier }},
{% endfor %}
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
{% if moment %}
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
priced as (
    select *
    from placed
)
{% endif %}
,
dated as (
    select
        *,
{% if updated is none %}
        moment_utc as updated_at
{% elif updated.kind == "text" %}
        cast(try_strptime(updated_given, {{ updated.format | bind }}) as timestamp) as updated_at
{% elif updated.kind == "number" %}
        make_timestamp(try_cast(updated_given as bigint)) as updated_at
{% else %}
        try_cast(updated_given as timestamp) as updated_at
{% endif %}
    from priced
),
judged as (
    select
        *,
        case
            when customer_id is null then 'missing_customer'
{% for column in text_columns %}
            when contains({{ column | identifier }}, chr(0)) then 'nul_character'
{% endfor %}
{% if moment %}
            when local_time is null then 'bad_timestamp'
{% endif %}
{% if updated is not none %}
            when updated_given is not null and updated_at is null then 'bad_timestamp'
{% endif %}
{% if moment %}
            when is_skipped then 'nonexistent_local_time'
{% if moment.policy == "reject" %}
            when twin is not null then 'ambiguous_local_time'
{% endif %}
            when moment_utc > {{ latest_allowed | bind }} then 'future_timestamp'
            when moment_on < {{ earliest | bind }} then 'too_old'
{% endif %}
{% if money %}
{% include "raw/parts/money_reasons.sql" %}
{% endif %}
        end as reason
    from dated
)
select
    customer_id,
{% for name, column in outputs %}
    {{ column | identifier }} as {{ name | identifier }},
{% endfor %}
{% if money %}
    cast(case when is_return then -abs(quantity_read) else quantity_read end as decimal(18, 4)) as quantity,
    unit_price_converted as unit_price,
    case when is_return then -abs(total_converted) else total_converted end as amount,
    coupon_used,
    {{ money.reporting | bind }} as currency,
{% endif %}
    {{ table | bind }} as source,
    {{ layout.name | bind }} as file,
    line_number as row_number,
    {{ layout.position | bind }} as staged_file_position,
    reason as staged_reason,
    case
        when reason is not null
            then {% include "raw/parts/content.sql" %}

    end as staged_content,
    line_key as staged_line_key,
    updated_at as staged_updated_at,
{% if key_columns %}
    hash({% for column in content_columns %}{{ column | identifier }}{% if not loop.last %}, {% endif %}{% endfor %}) as staged_content_hash
{% else %}
    cast(null as ubigint) as staged_content_hash
{% endif %}
from judged
