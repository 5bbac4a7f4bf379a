-- Every row set aside, in the order of its file.
select
    source,
    file,
    row_number,
    reason,
    content
from {{ rejected | identifier }}
{% if reason is not none %}
where reason = {{ reason | bind }}
{% endif %}
order by source, file, row_number
