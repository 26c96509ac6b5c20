"""The steps that bring the tables and views of an older trace file up to date. A new one is made without them
(`trace_file.make_schema`): sqlite-utils, by which they are taken, is imported for older files alone.

schema.sql is the schema as it is now, with a comment on each table and column, so that `.schema` shows them; a test
holds it equal to what the steps give. Steps are append-only: never change one that was released. They make tables;
views are made anew from schema.sql after them, so a step that changes views alone is empty.
"""

from __future__ import annotations

import contextlib
import sqlite3
from functools import cache
from typing import Any

from sqlite_utils import Migrations
from sqlite_utils.db import Database

from opcodetrace.store.schema_check import MIGRATIONS_TABLE, Part, parts_of, published
from opcodetrace.store.trace_file import MIGRATIONS, STEPS

APPLICATION_ID = 0x6F706374  # b"opct": says that a file is a trace file

TABLES = (
    """
CREATE TABLE runs (
    -- One row for each recorded execution of a script.
    id INTEGER PRIMARY KEY,         -- number of the run within the file
    started_at TEXT NOT NULL,       -- when it began: ISO 8601, UTC
    script TEXT NOT NULL,           -- the script or module, as given on the command line
    argv TEXT NOT NULL,             -- its arguments: a JSON list
    python TEXT NOT NULL,           -- version of Python: 3.13.0
    implementation TEXT NOT NULL,   -- sys.version
    gil INTEGER NOT NULL,           -- 1 if the GIL was on; 0 on a free-threaded run, which has no switches
    switch_interval REAL,           -- seconds, as set for the recording; NULL: the interpreter's own
    cwd TEXT NOT NULL,              -- working directory
    exit_code INTEGER,              -- the script's own; 128 + N if signal N killed it; NULL if unknown
    signal INTEGER,                 -- number of the signal that killed the script
    duration REAL NOT NULL,         -- seconds
    recovered INTEGER NOT NULL,     -- 1 if the collector died and the run was read from its spool later
    stdout_sha256 TEXT,             -- hash of what the script printed, if that was captured
    stdout_tail TEXT,               -- the last line that the script printed, if that was captured
    threads INTEGER NOT NULL,       -- threads seen
    records INTEGER NOT NULL,       -- records of the spool, of every kind
    accesses INTEGER NOT NULL,      -- accesses recorded, those to unshared locations among them
    stored INTEGER NOT NULL,        -- accesses among the events
    events INTEGER NOT NULL,        -- rows in events
    switches INTEGER NOT NULL,      -- rows in switches
    lost INTEGER NOT NULL,          -- the least number of lost updates that the trace proves
    lost_at_most INTEGER NOT NULL,  -- the greatest number of lost updates that some consistent order gives
    unseen INTEGER NOT NULL,        -- writes by code that is not woven, noticed by what reads returned
    uncertain INTEGER NOT NULL,     -- locations left out of the findings because their identity is not certain
    missed INTEGER NOT NULL,        -- accesses seen that could not be recorded
    holes INTEGER NOT NULL,         -- records begun and never finished, by threads that were killed
    truncated TEXT,                 -- why the recording ended before the script: event limit, window full, disk full
    truncated_seq INTEGER,          -- seq at which the recording ended
    births INTEGER NOT NULL,        -- 1 if births of objects were seen, so identities are certain
    functions INTEGER NOT NULL,     -- functions woven
    notes TEXT NOT NULL             -- remarks on the recording: a JSON list
)""",
    """
CREATE TABLE threads (
    -- The threads of a run, numbered by first appearance.
    run_id INTEGER NOT NULL REFERENCES runs (id),  -- the run
    thread INTEGER NOT NULL,                       -- 0 is the main thread
    name TEXT,                                     -- its threading name
    ident INTEGER NOT NULL,                        -- threading.get_ident()
    native_id INTEGER NOT NULL,                    -- the operating system's number
    started_by INTEGER,                            -- the thread that started it, if known
    first_seq INTEGER NOT NULL,                    -- its first record
    last_seq INTEGER NOT NULL,                     -- its last record
    ended INTEGER NOT NULL,                        -- 1 if it ended before the recording did
    PRIMARY KEY (run_id, thread)
) WITHOUT ROWID""",
    """
CREATE TABLE files (
    -- Source files, each content of a path once, for all runs.
    id INTEGER PRIMARY KEY,     -- key
    path TEXT NOT NULL,         -- as in co_filename
    sha256 TEXT NOT NULL,       -- of the file's bytes
    module TEXT NOT NULL,       -- the module's name
    source NOT NULL,            -- the file: TEXT if it is UTF-8, else a BLOB
    UNIQUE (path, sha256)
)""",
    """
CREATE TABLE sites (
    -- Instructions that an event, a switch or a finding refers to, for all runs.
    id INTEGER PRIMARY KEY,                          -- key
    file_id INTEGER NOT NULL REFERENCES files (id),  -- its file
    line INTEGER,                                    -- from 1
    "column" INTEGER,                                -- in UTF-8 bytes, from 0
    end_line INTEGER,                                -- line of its end
    end_column INTEGER,                              -- column after its end
    function TEXT NOT NULL,                          -- qualified name of the function
    operation TEXT NOT NULL,                         -- what it does, in all versions of Python: BINARY_ADD
    opcode TEXT NOT NULL,                            -- the interpreter's own name: BINARY_OP
    "offset" INTEGER NOT NULL,                       -- byte offset in the function's original bytecode
    expression TEXT,                                 -- its source text: counter[0]
    computed TEXT                                    -- of a write: the operation whose result is stored as it is
)""",
    "CREATE INDEX sites_by_file ON sites (file_id)",
    """
CREATE TABLE run_sites (
    -- Which sites a run refers to.
    run_id INTEGER NOT NULL REFERENCES runs (id),    -- the run
    site_id INTEGER NOT NULL REFERENCES sites (id),  -- the site
    events INTEGER NOT NULL,                         -- rows in events that this site made
    PRIMARY KEY (run_id, site_id)
) WITHOUT ROWID""",
    """
CREATE TABLE unwoven (
    -- Functions that ran as they are, so that nothing of what they did was seen.
    run_id INTEGER NOT NULL REFERENCES runs (id),    -- the run
    file_id INTEGER NOT NULL REFERENCES files (id),  -- its file
    function TEXT NOT NULL,                          -- qualified name
    line INTEGER,                                    -- its first line
    reason TEXT NOT NULL                             -- why it was left as it is
)""",
    "CREATE INDEX unwoven_by_run ON unwoven (run_id)",
    """
CREATE TABLE locations (
    -- Memory cells that threads share: a container and a key.
    id INTEGER PRIMARY KEY,                        -- key
    run_id INTEGER NOT NULL REFERENCES runs (id),  -- the run
    kind TEXT NOT NULL,                            -- item, slice, attribute, global or cell
    container_type TEXT NOT NULL,                  -- type of the container
    key,                                           -- the key within the container; written as events.value is
    key_type TEXT,                                 -- as events.value_type
    label TEXT NOT NULL,                           -- as the source writes it: counter[0], global hits
    certain INTEGER NOT NULL,                      -- 0 if it may be several cells in truth: it makes no finding
    reads INTEGER NOT NULL,                        -- accesses that read it
    writes INTEGER NOT NULL,                       -- accesses that wrote or deleted it
    threads INTEGER NOT NULL                       -- threads that touched it
)""",
    "CREATE INDEX locations_by_run ON locations (run_id)",
    """
CREATE TABLE events (
    -- What the threads did, in order. The one big table.
    run_id INTEGER NOT NULL,   -- the run
    seq INTEGER NOT NULL,      -- number of the record within the run; numbers left out were of no interest
    earliest INTEGER,          -- it happened at some time from here to seq; NULL if just at seq
    thread INTEGER NOT NULL,   -- by which thread
    site_id INTEGER NOT NULL,  -- by which instruction
    kind INTEGER NOT NULL,     -- 1 read, 2 write, 3 deletion, 4 result of an operation
    location_id INTEGER,       -- of what; NULL for kind 4
    value,                     -- read, written or computed; readable text if value_type is given, else as it is
    value_type TEXT,           -- the Python type of a value that is text for readers; NULL: value is as it was, or none
    frame INTEGER NOT NULL,    -- tells activations of functions apart that are under way at one time
    source_seq INTEGER,        -- of a write: the event whose version flows into the value; NULL if blind
    certainty TEXT,            -- of source_seq: proven, inferred or possible
    PRIMARY KEY (run_id, seq)
) WITHOUT ROWID""",
    """
CREATE TABLE switches (
    -- Where the interpreter gave the GIL from one thread to another.
    run_id INTEGER NOT NULL REFERENCES runs (id),  -- the run
    seq INTEGER NOT NULL,                          -- number of the record: events below it came before
    from_thread INTEGER NOT NULL,                  -- the outgoing thread
    to_thread INTEGER NOT NULL,                    -- the incoming thread
    site_id INTEGER REFERENCES sites (id),         -- where the outgoing thread stood; NULL if in no woven code
    callee TEXT,                                   -- the C function that it was in: time.sleep
    reason TEXT,                                   -- blocked, yielded, preempted, awaited, ended; NULL: not proven
    PRIMARY KEY (run_id, seq)
) WITHOUT ROWID""",
    """
CREATE TABLE findings (
    -- What the analysis found.
    id INTEGER PRIMARY KEY,                                  -- key
    run_id INTEGER NOT NULL REFERENCES runs (id),            -- the run
    kind TEXT NOT NULL,                                      -- lost update, or unseen write
    location_id INTEGER NOT NULL REFERENCES locations (id),  -- where
    certainty TEXT NOT NULL,                                 -- proven, inferred or possible
    site_id INTEGER,                                         -- the lost write's; of an unseen write: the read's
    overwriting_site_id INTEGER,                             -- the overwriting write's
    first_seq INTEGER NOT NULL,                              -- the first of its events
    last_seq INTEGER NOT NULL                                -- the last of its events
)""",
    "CREATE INDEX findings_by_run ON findings (run_id, kind)",
    """
CREATE TABLE finding_events (
    -- The events that make a finding.
    finding_id INTEGER NOT NULL REFERENCES findings (id),  -- the finding
    role TEXT NOT NULL,                                    -- lost, source read, overwritten by or read
    seq INTEGER NOT NULL,                                  -- the event
    PRIMARY KEY (finding_id, role)
) WITHOUT ROWID""",
    """
CREATE TABLE lost_counts (
    -- How many updates each location lost.
    run_id INTEGER NOT NULL REFERENCES runs (id),            -- the run
    location_id INTEGER NOT NULL REFERENCES locations (id),  -- the location
    low INTEGER NOT NULL,                                    -- at least
    high INTEGER NOT NULL,                                   -- at most; equals low if all consistent orders agree
    overwriters INTEGER NOT NULL,                            -- distinct writes that overwrote
    exhausted INTEGER NOT NULL,                              -- 1 if the search gave up, so the bounds may be wide
    PRIMARY KEY (run_id, location_id)
) WITHOUT ROWID""",
)

MODULES = (
    """
CREATE TABLE modules (
    -- The modules of a run that were woven, and those that a pattern means and that ran as they are.
    run_id INTEGER NOT NULL REFERENCES runs (id),  -- the run
    name TEXT NOT NULL,                            -- as in sys.modules; __main__ is the script
    file_id INTEGER REFERENCES files (id),         -- its file; NULL if it was not woven
    functions INTEGER NOT NULL,                    -- functions woven, class bodies and the module itself among them
    unwoven INTEGER NOT NULL,                      -- functions that ran as they are; the table unwoven says why
    reason TEXT                                    -- why the module was not woven; NULL if it was
)""",
    "CREATE INDEX modules_by_run ON modules (run_id)",
)

KEEP_THE_LAST_EVENTS = (
    """
ALTER TABLE runs ADD COLUMN
    last INTEGER /* how many records were to be kept, the last ones (record --last); NULL: all */""",
    """
ALTER TABLE runs ADD COLUMN
    let_go INTEGER NOT NULL DEFAULT 0 /* records before those, which are gone: the seq of the first one kept */""",
)

migrations = Migrations(MIGRATIONS)


@migrations()
def first_schema(database: Any) -> None:
    for statement in TABLES:
        database.conn.execute(statement.strip())
    database.conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")


SYNCHRONISATION = (
    """
CREATE TABLE sync_objects (
    -- What at least two threads synchronised by.
    id INTEGER PRIMARY KEY,                        -- key
    run_id INTEGER NOT NULL REFERENCES runs (id),  -- the run
    type TEXT NOT NULL,                            -- _thread.lock, threading.Condition, queue.Queue ...
    label TEXT NOT NULL                            -- as the source writes it: lock, self.queue
)""",
    "CREATE INDEX sync_objects_by_run ON sync_objects (run_id)",
    """
CREATE TABLE synchronisation (
    -- What the threads did to wait for each other, in order.
    run_id INTEGER NOT NULL REFERENCES runs (id),  -- the run
    seq INTEGER NOT NULL,                          -- number of the record: the operation was done
    earliest INTEGER NOT NULL,                     -- it began at this seq or after it
    thread INTEGER NOT NULL,                       -- by which thread
    site_id INTEGER REFERENCES sites (id),         -- the call in woven code that led there; NULL if none did
    sync_object_id INTEGER,                        -- of what; NULL for the start of a thread
    operation TEXT NOT NULL,                       -- acquire, release, wait, notify, put, get, start, join ...
    begins INTEGER NOT NULL,                       -- 1 if it is about to wait: what comes of it is another row
    failed INTEGER NOT NULL,                       -- 1 if it raised or gave False: was not free, timed out
    waited REAL,                                   -- seconds from its beginning to its end
    holder INTEGER,                                -- acquire: the other thread that held the lock as it began
    woken_by INTEGER,                              -- the other thread whose release, put or the like ended the wait
    inside_seq INTEGER,                            -- the beginning of the operation that this one is a part of
    started INTEGER,                               -- start: the thread that began to run, if that was seen
    PRIMARY KEY (run_id, seq)
) WITHOUT ROWID""",
    "ALTER TABLE runs ADD COLUMN tasks INTEGER NOT NULL DEFAULT 0 /* asyncio tasks, not among the threads */",
    "ALTER TABLE threads ADD COLUMN task_of INTEGER /* of an asyncio task, a lane like a thread: its thread */",
)


@migrations()
def synchronisation(database: Any) -> None:
    for statement in SYNCHRONISATION:
        database.conn.execute(statement.strip())


@migrations()
def modules_of_runs(database: Any) -> None:
    for statement in MODULES:
        database.conn.execute(statement.strip())


@migrations()
def keep_the_last_events(database: Any) -> None:
    for statement in KEEP_THE_LAST_EVENTS:
        database.conn.execute(statement.strip())


@migrations()
def count_children(database: Any) -> None:
    database.conn.execute(
        "ALTER TABLE runs ADD COLUMN children INTEGER"
        " /* processes that it started, which were not recorded; NULL if not counted */"
    )


CALLS = (
    """
CREATE TABLE calls (
    -- Activations of functions that made events, and those that led to them; only of runs recorded with --calls.
    run_id INTEGER NOT NULL REFERENCES runs (id),    -- the run
    seq INTEGER NOT NULL,                            -- number of the record: the function began
    thread INTEGER NOT NULL,                         -- in which thread
    site_id INTEGER NOT NULL REFERENCES sites (id),  -- the function's beginning
    frame INTEGER,                                   -- that of its events after seq, up to the next call of this frame
    caller_seq INTEGER,                              -- the activation that called it; NULL if none in woven code did
    call_site_id INTEGER REFERENCES sites (id),      -- where that one stood
    PRIMARY KEY (run_id, seq)
) WITHOUT ROWID""",
    "CREATE INDEX calls_by_frame ON calls (run_id, frame, seq)",
)


@migrations()
def calls(database: Any) -> None:
    for statement in CALLS:
        database.conn.execute(statement.strip())


FINDINGS_OF_EVERY_KIND = (
    """
CREATE TABLE finding_groups (
    -- Findings of one kind and severity whose grouping roles were played at the same source lines.
    id INTEGER PRIMARY KEY,                        -- key
    run_id INTEGER NOT NULL REFERENCES runs (id),  -- the run
    kind TEXT NOT NULL,                            -- the kind of finding: lost update, unseen write
    severity TEXT NOT NULL,                        -- happened, possible or gil-only
    fingerprint TEXT                               -- the same in every run of the same code; NULL in old runs
)""",
    "CREATE INDEX finding_groups_by_run ON finding_groups (run_id)",
    """
INSERT INTO finding_groups (run_id, kind, severity, fingerprint)
    SELECT DISTINCT finding.run_id, finding.kind, iif(certainty = 'possible', 'possible', 'happened'),
        concat_key
    FROM (
        SELECT finding.*, printf('%s %s:%s %s:%s', finding.certainty = 'possible', lost.file_id, lost.line,
            over.file_id, over.line) AS concat_key
        FROM findings AS finding LEFT JOIN sites AS lost ON lost.id = finding.site_id
        LEFT JOIN sites AS over ON over.id = finding.overwriting_site_id
    ) AS finding""",
    """
CREATE TABLE new_findings (
    -- What was found.
    id INTEGER PRIMARY KEY,                                      -- key
    run_id INTEGER NOT NULL REFERENCES runs (id),                -- the run
    group_id INTEGER NOT NULL REFERENCES finding_groups (id),    -- those that are like it
    kind TEXT NOT NULL,                                          -- lost update, unseen write
    severity TEXT NOT NULL,                                      -- happened, possible or gil-only
    certainty TEXT NOT NULL,                                     -- proven or inferred
    location_id INTEGER REFERENCES locations (id),               -- where, first of all; NULL if at no location
    first_seq INTEGER NOT NULL,                                  -- the first of its events
    last_seq INTEGER NOT NULL                                    -- the last of its events
)""",
    """
INSERT INTO new_findings
    SELECT finding.id, finding.run_id, finding_group.id, finding.kind, finding_group.severity,
        iif(certainty = 'possible', 'inferred', certainty), location_id, first_seq, last_seq
    FROM findings AS finding LEFT JOIN sites AS lost ON lost.id = finding.site_id
    LEFT JOIN sites AS over ON over.id = finding.overwriting_site_id
    JOIN finding_groups AS finding_group ON finding_group.run_id = finding.run_id AND finding_group.kind = finding.kind
        AND finding_group.fingerprint = printf('%s %s:%s %s:%s', finding.certainty = 'possible', lost.file_id,
            lost.line, over.file_id, over.line)""",
    "UPDATE finding_groups SET fingerprint = NULL",
    "DROP TABLE findings",
    "ALTER TABLE new_findings RENAME TO findings",
    "CREATE INDEX findings_by_run ON findings (run_id, kind)",
    "CREATE INDEX findings_by_group ON findings (group_id)",
    """
CREATE TABLE new_finding_events (
    -- The events, or the synchronisation, that make a finding.
    finding_id INTEGER NOT NULL REFERENCES findings (id),  -- the finding
    role TEXT NOT NULL,                                    -- what it is to the finding: lost write, stale read
    seq INTEGER NOT NULL,                                  -- the event
    PRIMARY KEY (finding_id, role)
) WITHOUT ROWID""",
    """
INSERT INTO new_finding_events
    SELECT finding_id, CASE finding.kind || ' ' || role
        WHEN 'lost update lost' THEN 'lost write' WHEN 'lost update overwritten by' THEN 'overwriting write'
        WHEN 'lost update read' THEN 'stale read' ELSE role END, seq
    FROM finding_events JOIN findings AS finding ON finding.id = finding_id""",
    "DROP TABLE finding_events",
    "ALTER TABLE new_finding_events RENAME TO finding_events",
    """
CREATE TABLE finding_locations (
    -- Further locations of findings that are about several.
    finding_id INTEGER NOT NULL REFERENCES findings (id),    -- the finding
    location_id INTEGER NOT NULL REFERENCES locations (id),  -- the location
    PRIMARY KEY (finding_id, location_id)
) WITHOUT ROWID""",
    """
CREATE TABLE finding_locks (
    -- The locks that findings are about.
    finding_id INTEGER NOT NULL REFERENCES findings (id),         -- the finding
    sync_object_id INTEGER NOT NULL REFERENCES sync_objects (id), -- the lock
    PRIMARY KEY (finding_id, sync_object_id)
) WITHOUT ROWID""",
    """
CREATE TABLE finding_counts (
    -- How many findings of a kind there are at a location, over all orders that agree with the trace.
    run_id INTEGER NOT NULL REFERENCES runs (id),    -- the run
    kind TEXT NOT NULL,                              -- the kind of finding
    location_id INTEGER REFERENCES locations (id),   -- the location; NULL for those at none
    low INTEGER NOT NULL,                            -- at least
    high INTEGER NOT NULL,                           -- at most; equals low if all consistent orders agree
    causes INTEGER NOT NULL,                         -- distinct events that brought them about: overwriting writes
    exhausted INTEGER NOT NULL                       -- 1 if the search gave up, so the bounds may be wide
)""",
    "CREATE INDEX finding_counts_by_run ON finding_counts (run_id, kind)",
    """
INSERT INTO finding_counts
    SELECT run_id, 'lost update', location_id, low, high, overwriters, exhausted FROM lost_counts
    UNION ALL SELECT run_id, kind, location_id, count(*), count(*), 0, 0 FROM findings
    WHERE kind = 'unseen write' GROUP BY run_id, location_id""",
    "DROP TABLE lost_counts",
)


@migrations()
def findings_of_every_kind(database: Any) -> None:
    for statement in FINDINGS_OF_EVERY_KIND:
        database.conn.execute(statement.strip())


# No key of its own: rows are only ever put after those that are there, and SQLite takes in rows of such a table several
# times as fast (bulk_load.py). A run's rows follow each other in the order of seq; `runs` says where they begin.
EVENTS_IN_ORDER = (
    "ALTER TABLE events RENAME TO events_by_key",
    """
CREATE TABLE events (
    -- What the threads did, in order. The one big table. A run's rows are those from rowid runs.first_event on.
    run_id INTEGER NOT NULL,   -- the run
    seq INTEGER NOT NULL,      -- number of the record within the run; numbers left out were of no interest
    earliest INTEGER,          -- it happened at some time from here to seq; NULL if just at seq
    thread INTEGER NOT NULL,   -- by which thread
    site_id INTEGER NOT NULL,  -- by which instruction
    kind INTEGER NOT NULL,     -- 1 read, 2 write, 3 deletion, 4 result of an operation
    location_id INTEGER,       -- of what; NULL for kind 4
    value,                     -- read, written or computed; readable text if value_type is given, else as it is
    value_type TEXT,           -- the type, if value is text for readers; raised: an exception's; NULL: it is as it was
    frame INTEGER NOT NULL,    -- tells activations of functions apart that are under way at one time
    source_seq INTEGER,        -- of a write: the event whose version flows into the value; NULL if blind
    certainty TEXT             -- of source_seq: proven, inferred or possible
)""",
    "INSERT INTO events SELECT * FROM events_by_key ORDER BY run_id, seq",
    "DROP TABLE events_by_key",
    """
ALTER TABLE runs ADD COLUMN
    first_event INTEGER /* rowid in events of its first one; the others follow in the order of seq */""",
    """
UPDATE runs SET first_event = (
    SELECT 1 + coalesce(sum(earlier.events), 0) FROM runs AS earlier WHERE earlier.id < runs.id)""",
    """
ALTER TABLE finding_events ADD COLUMN
    place INTEGER /* of an event: its rowid in events without runs.first_event */""",
    "CREATE INDEX events_by_seq ON events (run_id, seq)",
    """
UPDATE finding_events SET place = (
    SELECT event.rowid - run.first_event FROM findings AS finding JOIN runs AS run ON run.id = finding.run_id
    JOIN events AS event ON event.run_id = run.id AND event.seq = finding_events.seq
    WHERE finding.id = finding_events.finding_id)""",
    "DROP INDEX events_by_seq",
)


@migrations()
def events_in_order(database: Any) -> None:
    for statement in EVENTS_IN_ORDER:
        database.conn.execute(statement.strip())


@migrations()
def count_inferred_functions(database: Any) -> None:
    database.conn.execute(
        "ALTER TABLE runs ADD COLUMN inferred_functions INTEGER"
        " /* woven ones through which values were not followed all the way: NULL if not counted */"
    )


@migrations()
def turns_within_threads(database: Any) -> None:
    database.conn.execute(
        "ALTER TABLE runs ADD COLUMN merged TEXT NOT NULL DEFAULT '[]'"
        " /* greenlets, coroutines: took turns, taken for one thread; a JSON list */"
    )
    database.conn.execute(
        "ALTER TABLE switches ADD COLUMN awaited_by TEXT"
        " /* coroutines that await that one, a JSON list; NULL: none known */"
    )


@migrations()
def what_was_raised(database: Any) -> None:
    """Accesses that failed are events: the view `accesses` says so."""


PROTECTIONS = (
    "ALTER TABLE runs ADD COLUMN protections INTEGER"
    " /* rows in protections; NULL in runs of versions that did not look for them */",
    """
CREATE TABLE protections (
    -- What keeps threads apart at a location. Locations without a row were not looked at: too many, or uncertain.
    run_id INTEGER NOT NULL REFERENCES runs (id),             -- the run
    location_id INTEGER NOT NULL REFERENCES locations (id),   -- the location
    protection TEXT NOT NULL,                                 -- nothing, GIL only, unknown, atomic steps, lock ...
    covers TEXT,                                              -- every access, or every write; NULL: none of these
    certainty TEXT NOT NULL,                                  -- proven, inferred or possible
    sync_object_id INTEGER REFERENCES sync_objects (id),      -- the lock, or what hands over; NULL: several, a thread
    carrier TEXT,                                             -- what orders accesses: put, then get
    site_id INTEGER NOT NULL REFERENCES sites (id),           -- an access: if unprotected, that one; else a write
    PRIMARY KEY (run_id, location_id)
) WITHOUT ROWID""",
)


@migrations()
def protections_of_locations(database: Any) -> None:
    for statement in PROTECTIONS:
        database.conn.execute(statement.strip())


@migrations()
def outcomes_of_runs(database: Any) -> None:
    database.conn.execute(
        "ALTER TABLE runs ADD COLUMN exception TEXT"
        " /* that ended the script: KeyError: 'x'; NULL: none did, or it is not known */"
    )
    database.conn.execute(
        "ALTER TABLE runs ADD COLUMN interleaving TEXT"
        " /* hash of its order of conflicting accesses, as in other runs of that order; NULL: not known */"
    )


def upgrade(connection: sqlite3.Connection) -> None:
    """Makes what the file lacks of the schema as it is now: step by step, without views meanwhile, as SQLite would not
    rename what they mention."""
    database = Database(connection, recursive_triggers=False, execute_plugins=False)
    for view in database.view_names():
        connection.execute(f'DROP VIEW "{view}"')
    migrations.apply(database)
    for statement in published().split("\n\n"):
        if statement.startswith("CREATE VIEW"):
            connection.execute(statement)


@cache
def parts_after(steps: int) -> frozenset[Part]:
    """The tables and indexes that the first so many steps give."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        made = Database(connection, execute_plugins=False)
        migrations.apply(made, stop_before=STEPS[steps:][:1] or None)
        return frozenset(part for part in parts_of(connection) or () if part.table != MIGRATIONS_TABLE)
