/** Marks a file as a Landfall server's: "LfSv". */
export const applicationId = 0x4c665376;

/**
 * The server's own tables, as steps from an empty file to the newest format (DESIGN §7); the number of
 * steps taken is the file's `user_version`. A step is never changed once released: what follows is a new one.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE spaces(
    space TEXT NOT NULL PRIMARY KEY, generation TEXT NOT NULL, head INTEGER NOT NULL,
    received_ms INTEGER NOT NULL, received_counter INTEGER NOT NULL, modified_at INTEGER NOT NULL,
    schema INTEGER NOT NULL, lookups TEXT NOT NULL
  ) WITHOUT ROWID, STRICT;
  CREATE TABLE generations(
    number INTEGER PRIMARY KEY, space TEXT NOT NULL, generation TEXT NOT NULL, reason TEXT NOT NULL, parent TEXT, at INTEGER NOT NULL,
    UNIQUE(space, generation)
  ) STRICT;
  CREATE TABLE members(
    space TEXT NOT NULL, user TEXT NOT NULL, role TEXT, since INTEGER NOT NULL,
    PRIMARY KEY(space, user)
  ) WITHOUT ROWID, STRICT;
  CREATE INDEX members_by_user ON members(user, space);
  CREATE TABLE domains(
    space TEXT NOT NULL, domain TEXT NOT NULL, head INTEGER NOT NULL, count INTEGER NOT NULL, digest TEXT NOT NULL, horizon INTEGER NOT NULL,
    PRIMARY KEY(space, domain)
  ) WITHOUT ROWID, STRICT;
  CREATE TABLE records(
    space TEXT NOT NULL, domain TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL,
    modified_at INTEGER NOT NULL, created_at INTEGER NOT NULL, writer INTEGER NOT NULL, fields TEXT, stamps TEXT
  ) STRICT;
  CREATE UNIQUE INDEX records_by_key ON records(space, domain, key);
  CREATE INDEX records_by_version ON records(space, domain, version);
  CREATE TABLE lookups(
    space TEXT NOT NULL, domain TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, key TEXT NOT NULL,
    PRIMARY KEY(space, domain, name, value, key)
  ) WITHOUT ROWID, STRICT;
  CREATE TABLE writers(
    writer INTEGER PRIMARY KEY, space TEXT NOT NULL, generation TEXT NOT NULL, device TEXT NOT NULL, user TEXT NOT NULL,
    last_seq INTEGER NOT NULL, acked INTEGER NOT NULL, expired INTEGER NOT NULL, rejected_creates TEXT NOT NULL,
    seen_at INTEGER NOT NULL, cursor INTEGER NOT NULL,
    UNIQUE(space, generation, device, user)
  ) STRICT;
  CREATE TABLE outcomes(
    writer INTEGER NOT NULL, last_seq INTEGER NOT NULL, first_seq INTEGER NOT NULL, ids TEXT NOT NULL, bodies TEXT,
    PRIMARY KEY(writer, last_seq)
  ) STRICT;
  CREATE TABLE events(
    space TEXT NOT NULL, id TEXT NOT NULL, writer INTEGER NOT NULL, seq INTEGER NOT NULL,
    PRIMARY KEY(space, id)
  ) WITHOUT ROWID, STRICT;
  `,
  `
  ALTER TABLE generations ADD COLUMN started_at INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX tombstones ON records(space, domain, version) WHERE fields IS NULL;
  `,
];
