-- Training rows picked by a hash, to look for columns that tell the target too well.
select
    target{% for column in columns %},
    {{ column | identifier }}
{%- endfor %}

from {{ table | identifier }}
where split = 'train'
order by md5_number_lower(customer_id || snapshot_date::varchar), customer_id
limit {{ rows | bind }}
