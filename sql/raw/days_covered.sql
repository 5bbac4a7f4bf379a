select
    min({{ day | identifier }}) as first_day,
    max({{ day | identifier }}) as last_day,
    count(distinct date_trunc('month', {{ day | identifier }})) as months
from {{ table | identifier }}
