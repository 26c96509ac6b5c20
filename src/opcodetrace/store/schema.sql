-- The schema of a trace file (SQLite): what a new one is made of. Older files are brought to the same by the steps of
-- store/schema.py.

PRAGMA application_id = 1869636468;  -- b"opct": says that a file is a trace file

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
    notes TEXT NOT NULL,            -- remarks on the recording: a JSON list
    tasks INTEGER NOT NULL DEFAULT 0,  -- asyncio tasks, not among the threads
    last INTEGER,                   -- how many records were to be kept, the last ones (record --last); NULL: all
    let_go INTEGER NOT NULL DEFAULT 0,  -- records before those, which are gone: the seq of the first one kept
    children INTEGER,               -- processes that it started, which were not recorded; NULL if not counted
    first_event INTEGER,            -- rowid in events of its first one; the others follow in the order of seq
    inferred_functions INTEGER,     -- woven ones through which values were not followed all the way: NULL if not counted
    merged TEXT NOT NULL DEFAULT '[]',  -- greenlets, coroutines: took turns, taken for one thread; a JSON list
    protections INTEGER,            -- rows in protections; NULL in runs of versions that did not look for them
    exception TEXT,                 -- that ended the script: KeyError: 'x'; NULL: none did, or it is not known
    interleaving TEXT               -- hash of its order of conflicting accesses, as in other runs of that order; NULL: not known
);

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
    task_of INTEGER,                               -- of an asyncio task, a lane like a thread: its thread
    PRIMARY KEY (run_id, thread)
) WITHOUT ROWID;

CREATE TABLE files (
    -- Source files, each content of a path once, for all runs.
    id INTEGER PRIMARY KEY,     -- key
    path TEXT NOT NULL,         -- as in co_filename
    sha256 TEXT NOT NULL,       -- of the file's bytes
    module TEXT NOT NULL,       -- the module's name
    source NOT NULL,            -- the file: TEXT if it is UTF-8, else a BLOB
    UNIQUE (path, sha256)
);

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
);

CREATE INDEX sites_by_file ON sites (file_id);

CREATE TABLE run_sites (
    -- Which sites a run refers to.
    run_id INTEGER NOT NULL REFERENCES runs (id),    -- the run
    site_id INTEGER NOT NULL REFERENCES sites (id),  -- the site
    events INTEGER NOT NULL,                         -- rows in events that this site made
    PRIMARY KEY (run_id, site_id)
) WITHOUT ROWID;

CREATE TABLE unwoven (
    -- Functions that ran as they are, so that nothing of what they did was seen.
    run_id INTEGER NOT NULL REFERENCES runs (id),    -- the run
    file_id INTEGER NOT NULL REFERENCES files (id),  -- its file
    function TEXT NOT NULL,                          -- qualified name
    line INTEGER,                                    -- its first line
    reason TEXT NOT NULL                             -- why it was left as it is
);

CREATE INDEX unwoven_by_run ON unwoven (run_id);

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
);

CREATE INDEX locations_by_run ON locations (run_id);

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
);

CREATE TABLE switches (
    -- Where the interpreter gave the GIL from one thread to another.
    run_id INTEGER NOT NULL REFERENCES runs (id),  -- the run
    seq INTEGER NOT NULL,                          -- number of the record: events below it came before
    from_thread INTEGER NOT NULL,                  -- the outgoing thread
    to_thread INTEGER NOT NULL,                    -- the incoming thread
    site_id INTEGER REFERENCES sites (id),         -- where the outgoing thread stood; NULL if in no woven code
    callee TEXT,                                   -- the C function that it was in: time.sleep
    reason TEXT,                                   -- blocked, yielded, preempted, awaited, ended; NULL: not proven
    awaited_by TEXT,                               -- coroutines that await that one, a JSON list; NULL: none known
    PRIMARY KEY (run_id, seq)
) WITHOUT ROWID;

CREATE TABLE finding_groups (
    -- Findings of one kind and severity whose grouping roles were played at the same source lines.
    id INTEGER PRIMARY KEY,                        -- key
    run_id INTEGER NOT NULL REFERENCES runs (id),  -- the run
    kind TEXT NOT NULL,                            -- the kind of finding: lost update, unseen write
    severity TEXT NOT NULL,                        -- happened, possible or gil-only
    fingerprint TEXT                               -- the same in every run of the same code; NULL in old runs
);

CREATE INDEX finding_groups_by_run ON finding_groups (run_id);

CREATE TABLE findings (
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
);

CREATE INDEX findings_by_run ON findings (run_id, kind);

CREATE INDEX findings_by_group ON findings (group_id);

CREATE TABLE finding_events (
    -- The events, or the synchronisation, that make a finding.
    finding_id INTEGER NOT NULL REFERENCES findings (id),  -- the finding
    role TEXT NOT NULL,                                    -- what it is to the finding: lost write, stale read
    seq INTEGER NOT NULL,                                  -- the event
    place INTEGER,                                         -- of an event: its rowid in events without runs.first_event
    PRIMARY KEY (finding_id, role)
) WITHOUT ROWID;

CREATE TABLE finding_locations (
    -- Further locations of findings that are about several.
    finding_id INTEGER NOT NULL REFERENCES findings (id),    -- the finding
    location_id INTEGER NOT NULL REFERENCES locations (id),  -- the location
    PRIMARY KEY (finding_id, location_id)
) WITHOUT ROWID;

CREATE TABLE finding_locks (
    -- The locks that findings are about.
    finding_id INTEGER NOT NULL REFERENCES findings (id),         -- the finding
    sync_object_id INTEGER NOT NULL REFERENCES sync_objects (id), -- the lock
    PRIMARY KEY (finding_id, sync_object_id)
) WITHOUT ROWID;

CREATE TABLE finding_counts (
    -- How many findings of a kind there are at a location, over all orders that agree with the trace.
    run_id INTEGER NOT NULL REFERENCES runs (id),    -- the run
    kind TEXT NOT NULL,                              -- the kind of finding
    location_id INTEGER REFERENCES locations (id),   -- the location; NULL for those at none
    low INTEGER NOT NULL,                            -- at least
    high INTEGER NOT NULL,                           -- at most; equals low if all consistent orders agree
    causes INTEGER NOT NULL,                         -- distinct events that brought them about: overwriting writes
    exhausted INTEGER NOT NULL                       -- 1 if the search gave up, so the bounds may be wide
);

CREATE INDEX finding_counts_by_run ON finding_counts (run_id, kind);

CREATE VIEW lost_counts AS
    -- How many updates each location lost.
    SELECT
        run_id,                 -- the run
        location_id,            -- the location
        low,                    -- at least
        high,                   -- at most; equals low if all consistent orders agree
        causes AS overwriters,  -- distinct writes that overwrote
        exhausted               -- 1 if the search gave up, so the bounds may be wide
    FROM finding_counts WHERE kind = 'lost update';

CREATE VIEW accesses AS
    -- Every stored access in order, with names in place of ids.
    SELECT
        run.id AS run_id,                                                              -- the run
        event.seq AS seq,                                                              -- number of the record
        event.thread AS thread,                                                        -- number of the thread
        thread.name AS thread_name,                                                    -- its threading name
        CASE event.kind WHEN 1 THEN 'read' WHEN 2 THEN 'write' ELSE 'delete' END AS kind,  -- read, write or delete
        site.function AS function,                                                     -- qualified name
        file.path AS path,                                                             -- of the source file
        site.line AS line,                                                             -- in the source file
        site.operation AS operation,                                                   -- LOAD_SUBSCR
        location.label AS location,                                                    -- counter[0]
        iif(event.value_type IS 'raised', NULL, event.value) AS value,                 -- read or written
        iif(event.value_type IS 'raised', event.value, NULL) AS raised,                -- if it failed: the exception
        event.source_seq AS source_seq                                                 -- of a write: what flows into it
    FROM runs AS run
    CROSS JOIN events AS event ON event.rowid BETWEEN run.first_event AND run.first_event + run.events - 1
    CROSS JOIN sites AS site ON site.id = event.site_id
    CROSS JOIN files AS file ON file.id = site.file_id
    CROSS JOIN locations AS location ON location.id = event.location_id
    LEFT JOIN threads AS thread ON thread.run_id = run.id AND thread.thread = event.thread
    WHERE event.kind <= 3
    ORDER BY run.id, event.rowid;

CREATE VIEW thread_switches AS
    -- Every switch in order, with names in place of ids; empty for a free-threaded run.
    SELECT
        switch.run_id AS run_id,            -- the run
        switch.seq AS seq,                  -- events below it came before
        switch.from_thread AS from_thread,  -- the outgoing thread
        switch.to_thread AS to_thread,      -- the incoming thread
        site.function AS function,          -- where the outgoing thread stood; NULL if in no woven code
        site.line AS line,                  -- its line
        site.opcode AS opcode,              -- the instruction
        switch.reason AS reason,            -- blocked, yielded, preempted, awaited, ended; NULL: not proven
        switch.callee AS callee,            -- the C function that it was in
        site.expression AS expression,      -- the instruction's source text
        file.path AS path                   -- of the source file
    FROM switches AS switch
    LEFT JOIN sites AS site ON site.id = switch.site_id
    LEFT JOIN files AS file ON file.id = site.file_id
    ORDER BY switch.run_id, switch.seq;

CREATE VIEW lost_updates AS
    -- One row for each lost write.
    SELECT
        finding.run_id AS run_id,                   -- the run
        location.label AS location,                 -- counter[0]
        lost.seq AS lost_seq,                       -- the lost write
        lost.thread AS lost_thread,                 -- who wrote it
        lost.value AS lost_value,                   -- what it wrote
        overwriting.seq AS overwritten_by_seq,      -- the write that overwrote it
        overwriting.thread AS overwritten_by_thread,  -- who overwrote it
        overwriting.value AS overwritten_by_value,  -- with what
        stale.seq AS read_seq,                      -- the overwriting write's read, which did not see the lost write
        stale.value AS read_value,                  -- what it saw
        finding.certainty AS certainty,             -- proven or inferred
        finding.severity AS severity,               -- happened, or possible
        finding.id AS finding_id                    -- the row in findings
    FROM findings AS finding
    JOIN runs AS run ON run.id = finding.run_id
    JOIN locations AS location ON location.id = finding.location_id
    JOIN finding_events AS of_lost ON of_lost.finding_id = finding.id AND of_lost.role = 'lost write'
    JOIN events AS lost ON lost.rowid = run.first_event + of_lost.place
    LEFT JOIN finding_events AS of_overwriting
        ON of_overwriting.finding_id = finding.id AND of_overwriting.role = 'overwriting write'
    LEFT JOIN events AS overwriting ON overwriting.rowid = run.first_event + of_overwriting.place
    LEFT JOIN finding_events AS of_read ON of_read.finding_id = finding.id AND of_read.role = 'stale read'
    LEFT JOIN events AS stale ON stale.rowid = run.first_event + of_read.place
    WHERE finding.kind = 'lost update'
    ORDER BY finding.run_id, finding.id;

CREATE TABLE sync_objects (
    -- What at least two threads synchronised by.
    id INTEGER PRIMARY KEY,                        -- key
    run_id INTEGER NOT NULL REFERENCES runs (id),  -- the run
    type TEXT NOT NULL,                            -- _thread.lock, threading.Condition, queue.Queue ...
    label TEXT NOT NULL                            -- as the source writes it: lock, self.queue
);

CREATE INDEX sync_objects_by_run ON sync_objects (run_id);

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
) WITHOUT ROWID;

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
) WITHOUT ROWID;

CREATE VIEW waits AS
    -- Who waited for whom: operations that another thread ended.
    SELECT
        sync.run_id AS run_id,          -- the run
        sync.seq AS seq,                -- when it was over
        sync.thread AS thread,          -- who waited
        waiter.name AS thread_name,     -- its threading name
        sync.operation AS operation,    -- acquire, wait, get, result, join ...
        object.label AS object,         -- of the lock, queue ...
        object.type AS type,            -- its type
        sync.holder AS holder,          -- who held the lock as the wait began
        sync.woken_by AS woken_by,      -- whose release, put or the like ended the wait
        waker.name AS woken_by_name,    -- its threading name
        sync.waited AS waited,          -- seconds
        site.function AS function,      -- where in woven code
        site.line AS line,              -- its line
        site.expression AS expression,  -- the call's source text
        file.path AS path               -- of the source file
    FROM synchronisation AS sync
    JOIN sync_objects AS object ON object.id = sync.sync_object_id
    LEFT JOIN sites AS site ON site.id = sync.site_id
    LEFT JOIN files AS file ON file.id = site.file_id
    LEFT JOIN threads AS waiter ON waiter.run_id = sync.run_id AND waiter.thread = sync.thread
    LEFT JOIN threads AS waker ON waker.run_id = sync.run_id AND waker.thread = sync.woken_by
    WHERE coalesce(sync.holder, sync.woken_by) IS NOT NULL AND NOT sync.begins AND sync.inside_seq IS NULL
    ORDER BY sync.run_id, sync.seq;

CREATE TABLE modules (
    -- The modules of a run that were woven, and those that a pattern means and that ran as they are.
    run_id INTEGER NOT NULL REFERENCES runs (id),  -- the run
    name TEXT NOT NULL,                            -- as in sys.modules; __main__ is the script
    file_id INTEGER REFERENCES files (id),         -- its file; NULL if it was not woven
    functions INTEGER NOT NULL,                    -- functions woven, class bodies and the module itself among them
    unwoven INTEGER NOT NULL,                      -- functions that ran as they are; the table unwoven says why
    reason TEXT                                    -- why the module was not woven; NULL if it was
);

CREATE INDEX modules_by_run ON modules (run_id);

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
) WITHOUT ROWID;

CREATE INDEX calls_by_frame ON calls (run_id, frame, seq);

CREATE VIEW callers AS
    -- Each call with names in place of ids.
    SELECT
        call.run_id AS run_id,              -- the run
        call.seq AS seq,                    -- the function began
        call.thread AS thread,              -- in which thread
        called.function AS function,        -- which function
        file.path AS path,                  -- of its source file
        call.caller_seq AS caller_seq,      -- the call of the function that called it
        caller.function AS caller,          -- that function
        caller.line AS line,                -- where it stood
        caller.expression AS expression     -- the call's source text
    FROM calls AS call
    JOIN sites AS called ON called.id = call.site_id
    JOIN files AS file ON file.id = called.file_id
    LEFT JOIN sites AS caller ON caller.id = call.call_site_id
    ORDER BY call.run_id, call.seq;
