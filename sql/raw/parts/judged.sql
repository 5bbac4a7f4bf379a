{# Why a row is not accepted: the first reason that applies. #}
judged as (
    select
        *,
        case
{% if has_faults or (money and money.by_order) %}
            when fault is not null then fault
{% endif %}
{% if recorded %}
{% if recorded.known_on is not none %}
            when recorded_on > {{ recorded.known_on | bind }} then 'recorded_later'
{% endif %}
            when recorded_at is null then 'bad_recorded_at'
{% endif %}
{% if money %}
            when meaning = 'void' then 'void_status'
            when meaning = 'ignore' then 'ignored_status'
{% if money.kinds %}
            when not is_spend then 'excluded_kind'
{% endif %}
{% if money.by_order %}
            when customer_id is null and is_refund then 'unknown_parent_order'
{% endif %}
{% endif %}
{% if customer and customer.is_integer %}
            when customer_id_is_rounded then 'rounded_customer'
{% endif %}
            when customer_id is null then 'missing_customer'
{% if layout.has_nul or (money and money.by_order) %}
{% for column in text_columns %}
            when contains({{ column | identifier }}, chr(0)) then 'nul_character'
{% endfor %}
{% endif %}
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
{% if recorded %}
            when recorded_at > {{ latest_allowed | bind }} then 'future_timestamp'
{% endif %}
            when moment_on < {{ earliest | bind }} then 'too_old'
{% endif %}
{% if money %}
{% include "raw/parts/money_reasons.sql" %}
{% endif %}
        end as reason
    from {% if money %}signed{% else %}dated{% endif %}

)
