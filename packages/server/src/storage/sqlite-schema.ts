/** Marks a file as a Landfall server's: "LfSv". */
export const applicationId = 0x4c665376;

/** The number of this layout, the file's `user_version`. What is written after a release is brought over; nothing is released yet. */
export const dataFormat = 3;

/**
 * The server's own tables (DESIGN §7).
 *
 * Spaces and domains have numbers, and every other table knows them by these: their names would lie in each
 * entry of each index, and a batch of new records rewrites most pages of the index of their keys.
 */
export const layout = `
  CREATE TABLE spaces(
    number INTEGER PRIMARY KEY, space TEXT NOT NULL UNIQUE, generation TEXT NOT NULL, head INTEGER NOT NULL,
    received_ms INTEGER NOT NULL, received_counter INTEGER NOT NULL, modified_at INTEGER NOT NULL,
    schema INTEGER NOT NULL, lookups TEXT NOT NULL
  ) STRICT;
  CREATE TABLE generations(
    number INTEGER PRIMARY KEY, space INTEGER NOT NULL, generation TEXT NOT NULL, reason TEXT NOT NULL, parent TEXT, at INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    UNIQUE(space, generation)
  ) STRICT;
  CREATE TABLE members(
    space INTEGER NOT NULL, user TEXT NOT NULL, role TEXT, since INTEGER NOT NULL,
    PRIMARY KEY(space, user)
  ) WITHOUT ROWID, STRICT;
  CREATE INDEX members_by_user ON members(user, space);
  CREATE TABLE domains(
    number INTEGER PRIMARY KEY, space INTEGER NOT NULL, name TEXT NOT NULL, head INTEGER NOT NULL, count INTEGER NOT NULL, digest TEXT NOT NULL,
    horizon INTEGER NOT NULL,
    UNIQUE(space, name)
  ) STRICT;
  CREATE TABLE records(
    domain INTEGER NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL,
    modified_at INTEGER NOT NULL, created_at INTEGER NOT NULL, writer INTEGER NOT NULL, fields TEXT, stamps TEXT
  ) STRICT;
  CREATE UNIQUE INDEX records_by_key ON records(domain, key);
  CREATE INDEX records_by_version ON records(domain, version);
  CREATE INDEX tombstones ON records(domain, version) WHERE fields IS NULL;
  CREATE TABLE lookups(
    domain INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, key TEXT NOT NULL,
    PRIMARY KEY(domain, name, value, key)
  ) WITHOUT ROWID, STRICT;
  CREATE TABLE writers(
    writer INTEGER PRIMARY KEY, space INTEGER NOT NULL, generation TEXT NOT NULL, device TEXT NOT NULL, user TEXT NOT NULL,
    last_seq INTEGER NOT NULL, acked INTEGER NOT NULL, expired INTEGER NOT NULL, rejected_creates TEXT NOT NULL,
    seen_at INTEGER NOT NULL, cursor INTEGER NOT NULL,
    UNIQUE(space, generation, device, user)
  ) STRICT;
  CREATE TABLE outcomes(
    writer INTEGER NOT NULL, last_seq INTEGER NOT NULL, first_seq INTEGER NOT NULL, ids TEXT NOT NULL, bodies TEXT,
    PRIMARY KEY(writer, last_seq)
  ) WITHOUT ROWID, STRICT;
  CREATE TABLE events(
    space INTEGER NOT NULL, id TEXT NOT NULL, writer INTEGER NOT NULL, seq INTEGER NOT NULL, was TEXT,
    PRIMARY KEY(space, id)
  ) WITHOUT ROWID, STRICT;
`;
