-- Whether every test row is of a later day than every training row, and the days.
select
    max(snapshot_date) filter (split = 'train') as train_until,
    min(snapshot_date) filter (split = 'test') as test_from,
    coalesce(
        min(snapshot_date) filter (split = 'test') > max(snapshot_date) filter (split = 'train'), false
    ) as is_later
from {{ table | identifier }}
where split in ('train', 'test')
