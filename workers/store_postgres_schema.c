#include "store_postgres_schema.h"

/*
 * A migration is never changed, only added. The functions are those of the present schema.
 *
 * READ COMMITTED: a statement of a function sees what was committed before that statement. So a row is
 * locked first, and looked at then: a save waits for a claim of its place that is under way, and is refused
 * by it, or the claim waits for the save.
 */
#define MIGRATION(from, sql)                                                                       \
    "do $migration$ begin if (select version from troupe.schema) = " #from " then " sql             \
    " update troupe.schema set version = version + 1; end if; end $migration$;"

#define NODE_IS_DEAD(node, generation)                                                             \
    "not exists (select from troupe.node n where n.name = " node " and n.generation = " generation \
    " and n.state <> 'dead')"

const char store_postgres_schema[] =
    "begin;"
    "set local client_min_messages = warning;"
    "select pg_advisory_xact_lock(7450375871);"
    "create schema if not exists troupe;"
    "create table if not exists troupe.schema (version int not null);"
    "insert into troupe.schema select 0 where not exists (select from troupe.schema);"
    "do $newer$ begin if (select version from troupe.schema) > 5 then"
    " raise exception 'the schema was written by a newer Troupe'; end if; end $newer$;"
    /* 1 */
    MIGRATION(0,
        "create table troupe.state (service text collate \"C\", id text collate \"C\", name text collate \"C\","
        " value bytea not null, version bigint not null, epoch bigint not null, writer text not null,"
        " primary key (service, id, name));"
        "create table troupe.place (service text collate \"C\", id text collate \"C\", node text not null,"
        " generation text not null, epoch bigint not null, writer text not null, primary key (service, id));"
        "create table troupe.node (name text collate \"C\", generation text collate \"C\", state text not null,"
        " beat bigint not null, url text not null, services text not null, load text not null,"
        " primary key (name, generation));"
        "create sequence troupe.epoch as bigint;")
    /* 2: when it was saved */
    MIGRATION(1, "alter table troupe.state add column saved_us bigint not null default 0;")
    /* 3: the schema of the value */
    MIGRATION(2, "alter table troupe.state add column schema bigint not null default 0;"
        "drop function if exists troupe.state_put(text, text, text, bigint, bigint, bytea, text, bigint);")
    /* 4: reminders */
    MIGRATION(3,
        "create table troupe.reminder (service text collate \"C\", id text collate \"C\", name text collate \"C\","
        " due bigint not null, period bigint not null, message text not null, version bigint not null,"
        " writer text not null, primary key (service, id, name));"
        "create index reminder_due on troupe.reminder (due);")
    /* 5: free places are removed */
    MIGRATION(4, "delete from troupe.place where node = '';")

    "create or replace function troupe.is_owner(s text, i text, e bigint) returns boolean as $$ begin"
    " if e = 0 then return true; end if;"
    " perform from troupe.place where service = s and id = i and epoch = e and node <> '' for share;"
    " return found;"
    "end $$ language plpgsql;"

    "create or replace function troupe.state_put(s text, i text, n text, e bigint, expected bigint, v bytea,"
    " w text, now_us bigint, sc bigint, out outcome text, out version bigint) as $$"
    " declare owner boolean := troupe.is_owner(s, i, e); r record; begin"
    " select t.version, t.writer into r from troupe.state t where service = s and id = i and name = n for update;"
    " version := coalesce(r.version, 0);"
    " if r.writer = w then outcome := 'ok'; return; end if;"
    " if not owner then outcome := 'fenced'; return; end if;"
    " if expected <> -1 and expected <> version then outcome := 'conflict'; return; end if;"
    " if version = 0 then"
    "  insert into troupe.state values (s, i, n, v, now_us, e, w, now_us, sc) on conflict do nothing;"
    "  if not found then raise exception 'made by another at this moment' using errcode = '40001'; end if;"
    "  version := now_us;"
    " else"
    "  version := version + 1;"
    "  update troupe.state t set value = v, version = state_put.version, epoch = e, writer = w, saved_us = now_us,"
    "   schema = sc"
    "   where service = s and id = i and name = n;"
    " end if;"
    " outcome := 'ok';"
    "end $$ language plpgsql;"

    "create or replace function troupe.state_remove(s text, i text, n text, e bigint, expected bigint,"
    " again boolean, out outcome text, out version bigint) as $$"
    " declare owner boolean := troupe.is_owner(s, i, e); begin"
    " select t.version into version from troupe.state t where service = s and id = i and name = n for update;"
    " version := coalesce(version, 0);"
    " outcome := case when not owner then 'fenced'"
    "  when version = 0 and again then 'ok' when version = 0 then 'not_found'"
    "  when expected <> -1 and expected <> version then 'conflict' else 'ok' end;"
    " if outcome = 'ok' then delete from troupe.state where service = s and id = i and name = n; end if;"
    "end $$ language plpgsql;"

    "create or replace function troupe.reminder_put(s text, i text, n text, e bigint, expected bigint,"
    " d bigint, p bigint, m text, w text, now_us bigint, out outcome text, out version bigint) as $$"
    " declare owner boolean := troupe.is_owner(s, i, e); r record; begin"
    " select t.version, t.writer into r from troupe.reminder t where service = s and id = i and name = n for update;"
    " version := coalesce(r.version, 0);"
    " if r.writer = w then outcome := 'ok'; return; end if;"
    " if not owner then outcome := 'fenced'; return; end if;"
    " if expected <> -1 and expected <> version then outcome := 'conflict'; return; end if;"
    " if version = 0 then"
    "  insert into troupe.reminder values (s, i, n, d, p, m, now_us, w) on conflict do nothing;"
    "  if not found then raise exception 'made by another at this moment' using errcode = '40001'; end if;"
    "  version := now_us;"
    " else"
    "  version := version + 1;"
    "  update troupe.reminder t set due = d, period = p, message = m, version = reminder_put.version, writer = w"
    "   where service = s and id = i and name = n;"
    " end if;"
    " outcome := 'ok';"
    "end $$ language plpgsql;"

    "create or replace function troupe.reminder_remove(s text, i text, n text, e bigint, expected bigint,"
    " again boolean, out outcome text, out version bigint) as $$"
    " declare owner boolean := troupe.is_owner(s, i, e); begin"
    " select t.version into version from troupe.reminder t where service = s and id = i and name = n for update;"
    " version := coalesce(version, 0);"
    " outcome := case when not owner then 'fenced'"
    "  when version = 0 and again then 'ok' when version = 0 then 'not_found'"
    "  when expected <> -1 and expected <> version then 'conflict' else 'ok' end;"
    " if outcome = 'ok' then delete from troupe.reminder where service = s and id = i and name = n; end if;"
    "end $$ language plpgsql;"

    "create or replace function troupe.reminder_advance(s text, i text, n text, expected bigint, d bigint,"
    " w text, again boolean, out outcome text, out version bigint) as $$ declare r record; begin"
    " if d = 0 then"
    "  select * into outcome, version from troupe.reminder_remove(s, i, n, 0, expected, again); return; end if;"
    " select t.version, t.writer into r from troupe.reminder t where service = s and id = i and name = n for update;"
    " version := coalesce(r.version, 0);"
    " outcome := case when version = 0 then 'not_found' when r.writer = w then 'ok'"
    "  when expected <> -1 and expected <> version then 'conflict' else 'advance' end;"
    " if outcome <> 'advance' then return; end if;"
    " outcome := 'ok'; version := version + 1;"
    " update troupe.reminder t set due = d, version = reminder_advance.version, writer = w"
    "  where service = s and id = i and name = n;"
    "end $$ language plpgsql;"

    "create or replace function troupe.place_claim(s text, i text, who text, g text, own bigint, w text,"
    " out outcome text, out epoch bigint, out node text, out generation text) as $$"
    " declare r record; begin"
    " if " NODE_IS_DEAD("who", "g") " then outcome := 'fenced'; return; end if;"
    " loop" /* until it is not removed in between */
    "  insert into troupe.place values (s, i, '', '', 0, '') on conflict do nothing;"
    "  select p.* into r from troupe.place p where service = s and id = i for update;"
    "  exit when found;"
    " end loop;"
    " outcome := 'ok';"
    " if r.node = '' or (r.node = who and r.generation = g and r.epoch = own) or "
    NODE_IS_DEAD("r.node", "r.generation") " then"
    "  epoch := nextval('troupe.epoch'); node := who; generation := g;"
    "  update troupe.place p set node = who, generation = g, epoch = place_claim.epoch, writer = w"
    "   where service = s and id = i;"
    " else"
    "  epoch := r.epoch; node := r.node; generation := r.generation;"
    "  if r.writer <> w then outcome := 'conflict'; end if;"
    " end if;"
    "end $$ language plpgsql;"

    "create or replace function troupe.place_free(s text, i text, e bigint, out outcome text, out epoch bigint)"
    " as $$ begin"
    " select p.epoch into epoch from troupe.place p where service = s and id = i for update;"
    " outcome := case when epoch is null then 'not_found' when epoch <> e then 'conflict' else 'ok' end;"
    " if outcome = 'ok' then"
    "  delete from troupe.place where service = s and id = i; end if;"
    "end $$ language plpgsql;"

    /* The lock is on the name: two generations do not enter at once. */
    "create or replace function troupe.node_insert(who text, g text, st text, u text, sv text, l text,"
    " again boolean, out outcome text, out generation text, out state text) as $$ begin"
    " perform pg_advisory_xact_lock(hashtextextended('troupe node ' || who, 0));"
    " select n.generation, n.state into generation, state from troupe.node n"
    "  where n.name = who and (n.generation = g or n.state <> 'dead') order by n.generation = g desc limit 1;"
    " if not found then insert into troupe.node values (who, g, st, 0, u, sv, l); outcome := 'ok';"
    " elsif again and generation = g and state = st then outcome := 'ok'; else outcome := 'conflict'; end if;"
    "end $$ language plpgsql;"

    "create or replace function troupe.node_beat(who text, g text, st text, l text,"
    " out outcome text, out state text, out beat bigint) as $$ begin"
    " select n.state, n.beat into state, beat from troupe.node n where name = who and generation = g for update;"
    " outcome := case when not found then 'not_found' when state <> st then 'conflict' else 'ok' end;"
    " if outcome = 'ok' then beat := beat + 1;"
    "  update troupe.node n set beat = node_beat.beat, load = l where name = who and generation = g; end if;"
    "end $$ language plpgsql;"

    "create or replace function troupe.node_set(who text, g text, st text, b bigint, wanted text,"
    " out outcome text, out state text, out beat bigint) as $$ begin"
    " select n.state, n.beat into state, beat from troupe.node n where name = who and generation = g for update;"
    " if not found then outcome := 'not_found'; return; end if;"
    " if state = wanted then outcome := 'ok'; return; end if;"
    " if state = 'dead' or state <> st or (b <> -1 and b <> beat) then outcome := 'conflict'; return; end if;"
    " update troupe.node n set state = wanted where name = who and generation = g;"
    " state := wanted; outcome := 'ok';"
    "end $$ language plpgsql;"

    "create or replace function troupe.node_remove(who text, g text, again boolean,"
    " out outcome text, out state text) as $$ begin"
    " select n.state into state from troupe.node n where name = who and generation = g for update;"
    " outcome := case when not found and again then 'ok' when not found then 'not_found'"
    "  when state <> 'dead' then 'conflict' else 'ok' end;"
    " if outcome = 'ok' then delete from troupe.node where name = who and generation = g; end if;"
    "end $$ language plpgsql;"

    /* What is answered as saved is on the disk. A stronger setting stays. */
    "do $sync$ begin if current_setting('synchronous_commit') in ('off', 'local') then"
    " perform set_config('synchronous_commit', 'on', false); end if; end $sync$;"
    "set client_connection_check_interval = '1s';"
    "commit;";
