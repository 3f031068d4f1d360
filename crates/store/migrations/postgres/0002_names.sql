-- Whether a notification is named by its record's place: what stood there before goes when another record stands there.
ALTER TABLE notifications ADD COLUMN is_synthetic_id boolean NOT NULL DEFAULT false;

-- Without rows, for its lock: an id names one event, be it a row's or a notification's, so those who write the one kind
-- wait for those who write the other.
CREATE TABLE names ();
