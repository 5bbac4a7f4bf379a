-- Day that each workflow's published attributes are of.
select
    workflow
    , max(as_of) as as_of
from {{ table | identifier }}
group by workflow
