-- Why each customer of `compared` is not sent, and whether a line of the consents is about them.
{% if consent_table is not none %}
consents as (
    {% include "activation/parts/consents.sql" %}

),

{% endif %}
judged as (
    select
        compared.customer_id,
        {% include "activation/parts/exclusion.sql" %}

        as exclusion,
    {% if consent_table is not none %}
        consents.customer_id is not null as has_line
    {% else %}
        false as has_line
    {% endif %}
    from compared
    {% if consent_table is not none %}
    left join consents on compared.customer_id = consents.customer_id
    {% endif %}
)
