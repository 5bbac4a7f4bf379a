select count(distinct customer_id) as customers from {{ table | identifier }}
