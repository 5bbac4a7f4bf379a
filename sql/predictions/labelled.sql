-- Labelled rows with all features of their day: a model from before may read columns that the training table has no more.
create or replace temporary view {{ view | identifier }} as
{% if is_there %}
from {{ training_table | identifier }}
{% else %}
select
    features.*,
    training.target
from {{ training_table | identifier }} as training
inner join {{ features_table | identifier }} as features
    on training.snapshot_date = features.snapshot_date
    and training.customer_id = features.customer_id
{% endif %}
