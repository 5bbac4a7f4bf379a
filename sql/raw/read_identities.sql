{# The rows of one file of identities, and why a row says nothing. #}
{% if is_first %}
create or replace temp table identity_rows as
{% else %}
insert into identity_rows by name
{% endif %}
with
{% include "raw/parts/read_rows.sql" %}
,
judged as (
    select
        *,
        case
{% if has_faults %}
            when fault is not null then fault
{% endif %}
            when old_id is null or customer_id is null then 'missing_customer'
{% if moment %}
            when moment_given is not null and local_time is null then 'bad_timestamp'
{% endif %}
        end as reason
    from dated
)

select
    old_id,
    customer_id as person,
{% if moment %}
    moment_utc as valid_from,
{% else %}
    cast(null as timestamp) as valid_from,
{% endif %}
    {{ layout.position | bind }}::integer as file_position,
    {{ layout.name | bind }} as file,
    line_number,
    reason,
    case
        when reason is not null
            then {% include "raw/parts/content.sql" %}

    end as content
from judged
