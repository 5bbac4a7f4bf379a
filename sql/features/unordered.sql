-- Rows of a model have no order: without one to keep, a model takes less memory. dbt's profile says the same.
set preserve_insertion_order = false
