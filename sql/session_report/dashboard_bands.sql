-- Customers per band over the days that sessions stand at; of several sessions of a day the one written last.
with ranked as (
    select
        workflow
        , session_id
        , cast(as_of as date) as as_of
        , row_number() over (
            partition by workflow, cast(as_of as date)
            order by updated_at desc, session_id
        ) as place
    from {{ sessions | identifier }}
    where status is distinct from 'abandoned' and as_of is not null
)

, days as (
    select
        workflow
        , session_id
        , as_of
        , row_number() over (partition by workflow order by as_of desc) as age
    from ranked
    where place = 1 and session_id in (select session_id from {{ table | identifier }})
)

select
    days.workflow
    , days.as_of
    , labels.prediction_category as band
    , sum(labels."count") as customers
from {{ table | identifier }} as labels
inner join days on labels.workflow = days.workflow and labels.session_id = days.session_id
where days.age <= {{ most | bind }} and labels.prediction_category is not null
group by days.workflow, days.as_of, labels.prediction_category
order by days.workflow, days.as_of, labels.prediction_category
