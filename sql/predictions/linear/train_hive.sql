-- Trains in Hive with Hivemall's functions: every task trains on its part of the shuffled rows, the models are merged by feature.
create table {{ weights | identifier }} as
with prepared as (
{% include "preparation/apply.sql" %}
)

select
    feature,
    {% if covariance %}
    argmin_kld(weight, covar) as weight
    {% else %}
    avg(weight) as weight
    {% endif %}
from (
    select {{ function | identifier }}(features, label, {{ options | bind }}) as (feature, weight{% if covariance %}, covar{% endif %})
    from (
        select
            array(
                {% for name in features %}
                concat({{ (name ~ ":") | bind }}, cast(cast({{ name | identifier }} as {{ "FLOAT" | sql_type }}) as string)),
                {% endfor %}
                {{ (bias ~ ":1.0") | bind }}
            ) as features,
            (cast(target as {{ "DOUBLE" | sql_type }}) - {{ shift | bind }}) / {{ unit | bind }} as label
        from prepared
        cluster by rand({{ seed | bind }})
    ) as shuffled
) as trained
group by feature
