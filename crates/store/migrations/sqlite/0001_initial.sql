-- The rows of consumers' topics, one an event. Times are RFC 3339 in UTC with six decimals, so that they sort as text.
CREATE TABLE events (
    id TEXT NOT NULL PRIMARY KEY,
    type TEXT NOT NULL,
    source TEXT NOT NULL,
    topic TEXT NOT NULL,
    "partition" INTEGER NOT NULL,
    "offset" INTEGER NOT NULL,
    key TEXT,
    time TEXT NOT NULL,
    received_at TEXT NOT NULL,
    data TEXT NOT NULL,
    digest BLOB NOT NULL
) STRICT;

-- Where a consumer resumes a partition: written in the transaction that writes the rows before it.
CREATE TABLE consumer_offsets (
    consumer TEXT NOT NULL,
    topic TEXT NOT NULL,
    "partition" INTEGER NOT NULL,
    next_offset INTEGER NOT NULL,
    PRIMARY KEY (consumer, topic, "partition")
) STRICT, WITHOUT ROWID;

-- What the notifier took up. The outcome is there once no destination is left to try.
CREATE TABLE notifications (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    digest BLOB NOT NULL,
    accepted_at TEXT NOT NULL,
    outcome TEXT CHECK (outcome IN ('delivered', 'failed'))
) STRICT;

-- Every attempt to deliver one. The primary key also serves the look-up of an event's attempts.
CREATE TABLE deliveries (
    event_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    destination TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('delivered', 'failed')),
    at TEXT NOT NULL,
    error TEXT,
    PRIMARY KEY (event_id, destination, attempt)
) STRICT, WITHOUT ROWID;
