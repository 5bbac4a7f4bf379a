delete from {{ changelog | identifier }}
where destination = {{ destination | bind }} and "at" < {{ before | bind }}::timestamp
