"""monitoring/data_quality: whether the raw data are broken."""
