-- By what right somebody asked through the API, so that it can be looked at again when it is carried out: what they showed,
-- "token" or "wallet", of the name that `actor` is, and the role that they needed for it. NULL for who wrote to the database
-- without the API, as the command line does.
ALTER TABLE requests ADD COLUMN credential TEXT;

ALTER TABLE requests ADD COLUMN needed_role TEXT;
