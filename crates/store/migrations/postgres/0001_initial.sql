-- The rows of consumers' topics, one an event. The "C" collation compares ids as bytes: the index is smaller and faster
-- than with a language's order, and every server sorts alike.
CREATE TABLE events (
    id text COLLATE "C" PRIMARY KEY,
    type text NOT NULL,
    source text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    key text,
    time timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    data jsonb NOT NULL,
    digest bytea NOT NULL
);

-- Where a consumer resumes a partition: written in the transaction that writes the rows before it.
CREATE TABLE consumer_offsets (
    consumer text COLLATE "C" NOT NULL,
    topic text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (consumer, topic, partition)
);

-- What the notifier took up. The outcome is there once no destination is left to try.
CREATE TABLE notifications (
    id text COLLATE "C" PRIMARY KEY,
    user_id text NOT NULL,
    digest bytea NOT NULL,
    accepted_at timestamptz NOT NULL,
    outcome text CHECK (outcome IN ('delivered', 'failed'))
);

-- Every attempt to deliver one. The primary key also serves the look-up of an event's attempts.
CREATE TABLE deliveries (
    event_id text COLLATE "C" NOT NULL,
    user_id text NOT NULL,
    destination text COLLATE "C" NOT NULL,
    attempt integer NOT NULL,
    status text NOT NULL CHECK (status IN ('delivered', 'failed')),
    at timestamptz NOT NULL,
    error text,
    PRIMARY KEY (event_id, destination, attempt)
);
