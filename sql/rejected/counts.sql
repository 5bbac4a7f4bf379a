-- Rows set aside per source and reason, the most frequent first.
select
    source,
    reason,
    count(*) as row_count,
    count(distinct file) as files
from {{ rejected | identifier }}
{% if reason is not none %}
where reason = {{ reason | bind }}
{% endif %}
group by source, reason
order by row_count desc, source, reason
