-- Multiples of a prediction that bound what happens, by its size; engines/intervals.py says the same.
bins as (
    select
        unnest({{ intervals.lowest | bind }}::double[]) as lowest,
        unnest({{ intervals.lower_80 | bind }}::double[]) as lower_80,
        unnest({{ intervals.upper_80 | bind }}::double[]) as upper_80,
        unnest({{ intervals.lower_95 | bind }}::double[]) as lower_95,
        unnest({{ intervals.upper_95 | bind }}::double[]) as upper_95
)
