-- The latest day that a model was trained for or scored at, by any workflow or by those asked for.
select
    workflow,
    as_of
from {{ sessions | identifier }}
where
    workflow <> 'all'
    and status in ('trained', 'evaluated', 'promoted', 'held', 'scored', 'published')
{% if workflows is not none %}
    and workflow in (select unnest({{ workflows | bind }}::varchar[]))
{% endif %}
order by as_of desc, workflow
limit 1
