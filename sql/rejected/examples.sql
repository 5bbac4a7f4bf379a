-- The first rows of every source and reason.
select
    source,
    reason,
    file,
    row_number,
    content
from {{ rejected | identifier }}
{% if reason is not none %}
where reason = {{ reason | bind }}
{% endif %}
qualify row_number() over (partition by source, reason order by file, row_number) <= {{ limit | bind }}::bigint
order by source, reason, file, row_number
