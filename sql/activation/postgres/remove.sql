delete from {{ table | identifier }} as target
using {{ staging | identifier }} as staging
where target.{{ key | identifier }} = staging.{{ key | identifier }}
