{{ config(enabled='orders' in recorded_sources()) }}
{{ staged_orders(source('raw', 'replaced_orders'), ['recorded_on', 'replaced_on']) }}
