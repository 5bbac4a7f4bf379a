select current_setting('temp_directory') as folder
