-- The latest comparison with the control group whose horizon has passed by then: all bands together first.
select
    as_of
    , band
    , treated
    , control
    , treated_mean
    , control_mean
    , difference
    , low
    , high
    , is_shown
    , needed
    , sentence
from {{ table | identifier }}
where workflow = {{ workflow | bind }} and as_of + horizon_days <= cast({{ as_of | bind }} as date)
qualify as_of = max(as_of) over ()
order by band <> 'all', band
