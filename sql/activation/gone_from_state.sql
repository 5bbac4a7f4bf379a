-- A destination was swapped as a whole: what it held before is gone.
delete from {{ state | identifier }}
where destination = {{ destination | bind }}
