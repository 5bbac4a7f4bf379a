{# The rows of one file of identities. #}
{% if is_first %}
create or replace temp table identity_rows as
{% else %}
insert into identity_rows by name
{% endif %}
with
{% include "raw/parts/read_rows.sql" %}

select
    old_id,
    customer_id as person,
{% if moment %}
    moment_utc as valid_from,
    moment_given is not null and local_time is null as is_wrong_time,
{% else %}
    cast(null as timestamp) as valid_from,
    false as is_wrong_time,
{% endif %}
    {{ layout.position | bind }}::integer as file_position,
    line_number
from dated
