set TimeZone = 'UTC'
