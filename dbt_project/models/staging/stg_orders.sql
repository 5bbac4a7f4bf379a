{{ staged_orders(source('raw', 'orders'), ['recorded_on'] if 'orders' in recorded_sources() else []) }}
