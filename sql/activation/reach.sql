-- Of the known customers, how many a destination may be sent, and why not the others.
with compared as (
    select distinct cast(customer_id as varchar) as customer_id
    from {{ known_table | identifier }}
),

{% if consent_table is not none and purpose is not none %}
consents as (
    {% include "activation/parts/consents.sql" %}

),

{% endif %}
judged as (
    select
        {% include "activation/parts/exclusion.sql" %}

        as exclusion,
    {% if consent_table is not none and purpose is not none %}
        consents.customer_id is not null as has_line
    {% else %}
        false as has_line
    {% endif %}
    from compared
    {% if consent_table is not none and purpose is not none %}
    left join consents on compared.customer_id = consents.customer_id
    {% endif %}
)

select
    count(*) as known,
    count(*) filter (where exclusion = 'forgotten') as forgotten,
    count(*) filter (where exclusion = 'suppressed') as suppressed,
    count(*) filter (where exclusion = 'no_consent' and has_line) as refused,
    count(*) filter (where exclusion = 'no_consent' and not has_line) as unknown,
    count(*) filter (where exclusion is null) as left_to_send
from judged
