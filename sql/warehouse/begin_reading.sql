begin transaction read only
