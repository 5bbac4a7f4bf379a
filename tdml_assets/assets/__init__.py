"""One module per stage: thin wrappers that read, call one pure function, write and report."""
