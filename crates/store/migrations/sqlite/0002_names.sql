-- Whether a notification is named by its record's place: what stood there before goes when another record stands there.
ALTER TABLE notifications ADD COLUMN is_synthetic_id INTEGER NOT NULL DEFAULT 0;
