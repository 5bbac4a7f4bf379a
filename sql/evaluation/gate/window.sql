-- The day a candidate was tested from, and the latest day its evaluated fit took features from: equal where customers were
-- held out instead of days.
select
    max(snapshot_date) filter (where split = 'test') as test_day,
    max(snapshot_date) filter (where split = 'train') as train_day
from {{ holdout | identifier }}
