delete from {{ history | identifier }}
where as_of < {{ before | bind }}::date
