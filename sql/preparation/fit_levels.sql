-- Most frequent first; ties by name, so that the same rows give the same columns.
select {{ column | identifier }} as level
from {{ table | identifier }}
where split = 'train' and {{ column | identifier }} is not null
group by {{ column | identifier }}
order by count(*) desc, {{ column | identifier }}
limit {{ limit | bind }}
