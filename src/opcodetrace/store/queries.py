"""Kept queries: what people ask of a trace file time and again. `:run` is the run that is meant."""

from typing import NamedTuple


class KeptQuery(NamedTuple):
    """A query that has a name."""

    answers: str
    sql: str


KEPT = {
    "findings": KeptQuery(
        "what was found, by kind, severity and source lines",
        """
        SELECT finding_group.kind, finding_group.severity, count(*) AS findings,
            count(DISTINCT location_id) AS locations, min(label) AS location, fingerprint
        FROM finding_groups AS finding_group JOIN findings AS finding ON finding.group_id = finding_group.id
        LEFT JOIN locations AS location ON location.id = location_id
        WHERE finding_group.run_id = :run
        GROUP BY finding_group.id ORDER BY findings DESC, finding_group.id""",
    ),
    "gil-only": KeptQuery(
        "what is safe thanks to the GIL alone, by source line",
        """
        SELECT file.path, site.line, site.function, finding.kind, role, min(label) AS location,
            count(DISTINCT finding.location_id) AS locations
        FROM findings AS finding JOIN finding_events AS part ON part.finding_id = finding.id
        JOIN events AS event ON event.run_id = finding.run_id AND event.seq = part.seq
        JOIN sites AS site ON site.id = event.site_id JOIN files AS file ON file.id = site.file_id
        LEFT JOIN locations AS location ON location.id = finding.location_id
        WHERE finding.run_id = :run AND finding.severity = 'gil-only'
        GROUP BY file.path, site.line, site.function, finding.kind, role ORDER BY file.path, site.line, role""",
    ),
    "deadlocks": KeptQuery(
        "who holds which lock, and waits for which, in threads that wait for each other or could",
        """
        SELECT finding.id AS finding, finding.severity, role, sync.thread, threads.name AS thread_name,
            object.label AS lock, site.function, site.line
        FROM findings AS finding JOIN finding_events AS part ON part.finding_id = finding.id
        JOIN synchronisation AS sync ON sync.run_id = finding.run_id AND sync.seq = part.seq
        LEFT JOIN threads ON threads.run_id = sync.run_id AND threads.thread = sync.thread
        LEFT JOIN sync_objects AS object ON object.id = sync.sync_object_id
        LEFT JOIN sites AS site ON site.id = sync.site_id
        WHERE finding.run_id = :run AND finding.kind = 'deadlock'
        ORDER BY finding.id, role <> 'left held', substr(role, 6), role""",
    ),
    "locks": KeptQuery(
        "the locks and semaphores that watched code took: by how many threads, how often, and how long they waited",
        """
        SELECT object.label AS lock, object.type, count(DISTINCT sync.thread) AS threads,
            sum(NOT sync.begins AND NOT sync.failed) AS acquired, sum(sync.woken_by IS NOT NULL) AS had_to_wait,
            round(total(sync.waited), 6) AS seconds
        FROM synchronisation AS sync JOIN sync_objects AS object ON object.id = sync.sync_object_id
        WHERE sync.run_id = :run AND sync.operation = 'acquire' AND inside_seq IS NULL AND site_id IS NOT NULL
        GROUP BY object.id ORDER BY seconds DESC, acquired DESC, lock""",
    ),
    "protection": KeptQuery(
        "what keeps threads apart at shared locations, by source line: locks, orders, single steps, the GIL, nothing",
        """
        SELECT CASE WHEN protection IS NOT NULL THEN protection WHEN run.protections IS NULL
                THEN 'recorded by an older version' ELSE 'not looked at' END AS protected_by,
            min(location.label) AS location, count(*) AS locations, covers, object.label AS object, carrier,
            protections.certainty, file.path, site.line, site.function
        FROM locations AS location JOIN runs AS run ON run.id = location.run_id
        LEFT JOIN protections ON protections.run_id = location.run_id AND protections.location_id = location.id
        LEFT JOIN sync_objects AS object ON object.id = protections.sync_object_id
        LEFT JOIN sites AS site ON site.id = protections.site_id LEFT JOIN files AS file ON file.id = site.file_id
        WHERE location.run_id = :run
        GROUP BY protected_by, covers, object.label, carrier, protections.certainty, file.path, site.line, site.function
        ORDER BY CASE protection WHEN 'nothing' THEN 1 WHEN 'GIL only' THEN 2 WHEN 'unknown' THEN 3
            WHEN 'atomic steps' THEN 4 WHEN 'lock' THEN 5 WHEN 'semaphore' THEN 6 WHEN 'handed over' THEN 7
            WHEN 'one thread' THEN 8 ELSE 9 END, file.path, site.line, location""",
    ),
    "lost-updates": KeptQuery(
        "which locations lost updates, how many, and by how many overwriting writes",
        """
        SELECT location, count(*) AS lost, count(DISTINCT overwritten_by_seq) AS overwriters,
            min(lost_seq) AS first_lost_seq, max(lost_seq) AS last_lost_seq
        FROM lost_updates WHERE run_id = :run GROUP BY location ORDER BY lost DESC, location""",
    ),
    "switches": KeptQuery(
        "where threads were switched away from, and why",
        """
        SELECT coalesce(reason, 'not proven') AS reason, function, line, opcode, expression, count(*) AS switches
        FROM thread_switches WHERE run_id = :run
        GROUP BY reason, function, line, opcode, expression ORDER BY switches DESC, function, line""",
    ),
    "hot-locations": KeptQuery(
        "the shared locations that were accessed most",
        """
        SELECT label AS location, kind, container_type, reads, writes, threads
        FROM locations WHERE run_id = :run ORDER BY reads + writes DESC, label LIMIT 50""",
    ),
    "hot-sites": KeptQuery(
        "the instructions that accessed them most",
        """
        SELECT file.path, site.line, site.function, site.operation, site.expression, run_sites.events
        FROM run_sites JOIN sites AS site ON site.id = run_sites.site_id JOIN files AS file ON file.id = site.file_id
        WHERE run_sites.run_id = :run AND run_sites.events
        ORDER BY run_sites.events DESC, file.path, site.line LIMIT 50""",
    ),
    "threads": KeptQuery(
        "the threads, and how often each was switched away from",
        """
        SELECT thread, name, first_seq, last_seq, ended, coalesce(times, 0) AS switched_away
        FROM threads
        LEFT JOIN (SELECT from_thread, count(*) AS times FROM switches WHERE run_id = :run GROUP BY from_thread)
            ON from_thread = thread
        WHERE run_id = :run ORDER BY thread""",
    ),
    "waits": KeptQuery(
        "who waited for whom, where, how often and how long",
        """
        SELECT thread, thread_name, operation, object, woken_by, woken_by_name, function, line, count(*) AS times,
            round(sum(waited), 6) AS seconds
        FROM waits WHERE run_id = :run
        GROUP BY thread, operation, object, woken_by, function, line ORDER BY sum(waited) DESC, object""",
    ),
    "synchronisation": KeptQuery(
        "what threads did with locks, queues and the like, in order; not what library code does inside of that",
        """
        SELECT sync.seq, thread, sync.operation, label AS object, type, begins, failed, waited, holder, woken_by, line,
            expression
        FROM synchronisation AS sync LEFT JOIN sync_objects AS object ON object.id = sync.sync_object_id
        LEFT JOIN sites AS site ON site.id = sync.site_id
        WHERE sync.run_id = :run AND inside_seq IS NULL ORDER BY seq""",
    ),
    "blind-writes": KeptQuery(
        "writes of values that come from no version of their location",
        """
        SELECT location.label AS location, site.function, site.line, site.expression, count(*) AS writes,
            count(DISTINCT event.thread) AS threads
        FROM runs AS run
        JOIN events AS event ON event.rowid BETWEEN run.first_event AND run.first_event + run.events - 1
        JOIN locations AS location ON location.id = event.location_id JOIN sites AS site ON site.id = event.site_id
        WHERE run.id = :run AND event.kind = 2 AND event.source_seq IS NULL
        GROUP BY location.id, site.id ORDER BY writes DESC, location, line""",
    ),
    "unseen-writes": KeptQuery(
        "writes by code that is not watched",
        """
        SELECT location.label AS location, site.function, site.line, finding.first_seq AS seen_at_seq
        FROM findings AS finding JOIN locations AS location ON location.id = finding.location_id
        JOIN events AS event ON event.run_id = finding.run_id AND event.seq = finding.first_seq
        JOIN sites AS site ON site.id = event.site_id
        WHERE finding.run_id = :run AND finding.kind = 'unseen write' ORDER BY finding.first_seq""",
    ),
    "modules": KeptQuery(
        "what was woven, by module, and what was not and why",
        """
        SELECT modules.name AS module, modules.functions, modules.unwoven, file.path, modules.reason
        FROM modules LEFT JOIN files AS file ON file.id = modules.file_id
        WHERE modules.run_id = :run ORDER BY modules.reason IS NOT NULL, modules.name""",
    ),
    "unwoven": KeptQuery(
        "functions that run as they are, and why",
        """
        SELECT file.path, unwoven.line, unwoven.function, unwoven.reason
        FROM unwoven JOIN files AS file ON file.id = unwoven.file_id
        WHERE unwoven.run_id = :run ORDER BY file.path, unwoven.line""",
    ),
}
