-- How far the tenths of customers are off, as a share of all that happened. Weighted by money: the lowest tenth spends next
-- to nothing, and being off by a multiple of that says nothing about the sums.
select sum("count" * abs(mean_predicted - mean_actual)) / nullif(sum("count" * mean_actual), 0) as calibration_error
from {{ table | identifier }}
where
    session_id = {{ session_id | bind }}
    and workflow = {{ workflow | bind }}
    and evaluation_table = 'test'
