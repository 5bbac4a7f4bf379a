select count(*) as failures from (
__test__
) as failing -- noqa: AL05
