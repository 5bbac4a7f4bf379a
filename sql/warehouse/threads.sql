select cast(current_setting('threads') as integer) as threads
