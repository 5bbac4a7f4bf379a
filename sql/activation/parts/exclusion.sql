-- Why a customer of `compared` is not sent; null where nothing speaks against it. Joined: `consents`, where they are asked.
case
    when compared.customer_id is null then 'no_key'
{% if forgotten_table is not none %}
{% with subject = ["compared", "customer_id"], forgotten = forgotten_table %}
    when {% include "raw/parts/is_forgotten.sql" %} then 'forgotten'
{% endwith %}
{% endif %}
{% if suppression_table is not none %}
    when exists (
        select 1 from {{ suppression_table | identifier }} as suppression
        where
            suppression.customer_id = compared.customer_id
            and coalesce(nullif(lower(trim(suppression.destination)), ''), {{ destination | bind }}) = {{ destination | bind }}
            and (
                nullif(trim(suppression.purpose), '') is null
                or {{ purpose | bind }}::varchar is null
                or lower(trim(suppression.purpose)) = lower({{ purpose | bind }}::varchar)
            )
    ) then 'suppressed'
{% endif %}
{% if consent_table is not none %}
    when not coalesce(consents.is_granted, {{ allow_unknown | bind }}) then 'no_consent'
{% endif %}
{% if control_column is not none %}
    when exists (
        select 1 from {{ attributes_table | identifier }} as held
        where cast(held.customer_id as varchar) = compared.customer_id and held.{{ control_column | identifier }}
    ) then 'control_group'
{% endif %}
    else null
end
