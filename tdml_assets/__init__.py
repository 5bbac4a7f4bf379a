"""Raw customer orders in, scored customer attributes out: a custom ML workflow as Dagster assets."""
