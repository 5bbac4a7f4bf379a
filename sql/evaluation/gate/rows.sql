-- Features of the customers that a candidate was tested on, on the day of its test, for the champion to be tested on too.
create or replace temporary view {{ view | identifier }} as
select features.*
from {{ features_table | identifier }} as features
semi join (
    select
        snapshot_date,
        customer_id
    from {{ holdout | identifier }}
    where split = 'test'
) as tested
    on features.snapshot_date = tested.snapshot_date
    and features.customer_id = tested.customer_id
