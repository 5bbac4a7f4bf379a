-- Labelled rows with all features of their day: a model from before may read columns that the training table has no more. Of many a
-- share by customer, with a draw of its own: the training table may hold a share by another one.
{% if sample_share < 1 %}
create or replace temporary table {{ sample | identifier }} as
{% else %}
create or replace temporary view {{ view | identifier }} as
{% endif %}
{% if is_there %}
from {{ training_table | identifier }} as training
{% else %}
select
    features.*,
    training.target
from {{ training_table | identifier }} as training
inner join {{ features_table | identifier }} as features
    on training.snapshot_date = features.snapshot_date
    and training.customer_id = features.customer_id
{% endif %}
{% if sample_share < 1 %}
where (md5_number_lower('level:' || training.customer_id) % 1000000)::double / 1000000 < {{ sample_share | bind }}
{% endif %}
