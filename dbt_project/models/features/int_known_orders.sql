{{ config(enabled=recorded_sources() | length > 0) }}
{{ rows_as_known('orders', 'ordered_on') }}
