-- The farthest feature and the prediction against the champion's reference, over the days that sessions stand at.
with days as (
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

select
    days.workflow
    , days.as_of
    , max(drift.psi) filter (where drift.kind = 'feature') as feature_psi
    , max(drift.psi) filter (where drift.kind = 'prediction') as prediction_psi
    , count(*) filter (where drift.severity >= 1) as alarms
from {{ table | identifier }} as drift
inner join days on drift.workflow = days.workflow and drift.session_id = days.session_id
where days.place = 1
group by days.workflow, days.as_of
order by days.workflow, days.as_of
