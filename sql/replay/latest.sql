-- Workflows that already have a session later than a day.
select
    workflow,
    max(as_of) as as_of
from {{ table | identifier }}
where
    workflow in (select unnest({{ workflows | bind }}::varchar[]))
    and as_of > {{ after | bind }}::date
    and status <> 'abandoned'
group by workflow
order by as_of desc, workflow
