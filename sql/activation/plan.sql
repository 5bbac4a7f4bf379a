-- What becomes of every customer: of the source, and of those whom the destination is known to hold.
with source as (
{% include "activation/source.sql" %}

),

state as (
    select
        customer_id,
        row_hash
    from {{ state_table | identifier }}
    where destination = {{ destination | bind }}
),

dead as (
    select
        customer_id,
        row_hash
    from {{ dead_table | identifier }}
    where destination = {{ destination | bind }}
),

compared as (
    select
        coalesce(source.customer_id, state.customer_id) as customer_id,
        source.row_hash,
        source.customer_id is not null as is_in_source,
        state.customer_id is not null as is_there,
        (source.row_hash is distinct from state.row_hash) as is_different
    from source
    full join state on source.customer_id = state.customer_id
),

{% if consent_table is not none %}
consents as (
    {% include "activation/parts/consents.sql" %}

),

{% endif %}
allowed as (
    select
        compared.*,
        dead.customer_id is not null as is_dead,
        (dead.row_hash is not distinct from compared.row_hash) as is_as_refused,
        {% include "activation/parts/exclusion.sql" %}

        as exclusion
    from compared
    left join dead on compared.customer_id = dead.customer_id
    {% if consent_table is not none %}
    left join consents on compared.customer_id = consents.customer_id
    {% endif %}
)

select
    customer_id,
    row_hash,
    is_in_source,
    is_there,
    exclusion,
    case
        when exclusion is not null and is_there and {{ removes | bind }} then 'removed'
        when exclusion is not null and is_there then 'held_there'
        when exclusion is not null then 'excluded'
        when not is_in_source and {{ mirrors | bind }} then 'removed'
        when not is_in_source then 'left'
    {% if only_dead %}
        when not is_dead then 'unchanged'
        when not is_there then 'added'
        else 'changed'
    {% else %}
        when is_dead and is_as_refused and (not is_there or is_different) and not {{ full | bind }} then 'waiting'
        when not is_there then 'added'
        when {{ creates_only | bind }} then 'unchanged'
        when is_different or {{ full | bind }} then 'changed'
        else 'unchanged'
    {% endif %}
    end as change
from allowed
