{{ config(enabled=recorded_sources() | length > 0) }}
{{ rows_as_known('pageviews', 'viewed_on') }}
