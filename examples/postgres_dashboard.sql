-- Views for dashboards over the table that a destination of kind postgres keeps, and a role that may only read them.
--
--     psql "$BI_DATABASE_URL" -v ON_ERROR_STOP=1 -f examples/postgres_dashboard.sql
--
-- The table is marketing.customer_scores with the attributes' own names; another one is written in its place. Safe to run again. The
-- views stay while syncs run, in mode replace too. The role has no password: give it one, or let it log in by certificate.

create or replace view marketing.customers_by_segment as
select
    coalesce(segment_name, 'not scored') as segment
    , count(*) as customers
    , sum(cltv_predicted_spend) as expected_spend
    , avg(churn_probability) as mean_churn_probability
from marketing.customer_scores
group by 1;

create or replace view marketing.customers_by_value_decile as
select
    cltv_decile
    , count(*) as customers
    , sum(cltv_predicted_spend) as expected_spend
    , avg(cltv_predicted_spend) as mean_expected_spend
    , sum(cltv_predicted_spend) / nullif(sum(sum(cltv_predicted_spend)) over (), 0) as share_of_spend
from marketing.customer_scores
where cltv_decile is not null
group by cltv_decile;

create or replace view marketing.customers_by_churn_grade as
select
    churn_grade
    , count(*) as customers
    , avg(churn_probability) as mean_churn_probability
    , sum(cltv_predicted_spend) as expected_spend
from marketing.customer_scores
where churn_grade is not null
group by churn_grade;

-- What customers who are likely to leave are expected to spend: the cells that a campaign begins with.
create or replace view marketing.spend_at_risk as
select
    cltv_decile
    , churn_grade
    , count(*) as customers
    , sum(cltv_predicted_spend) as expected_spend
from marketing.customer_scores
where cltv_decile is not null and churn_grade is not null
group by cltv_decile, churn_grade;

do $$
begin
    if not exists (select 1 from pg_roles where rolname = 'bi_reader') then
        create role bi_reader login;
    end if;
end
$$;

alter role bi_reader set default_transaction_read_only = on;
grant usage on schema marketing to bi_reader;
-- Groups of customers alone; the table itself, with a row per customer, is granted by `readers` of the destination.
grant select on
    marketing.customers_by_segment
    , marketing.customers_by_value_decile
    , marketing.customers_by_churn_grade
    , marketing.spend_at_risk
to bi_reader;
