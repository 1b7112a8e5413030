-- FenceGateway's token store in PostgreSQL, version 1. {prefix} stands for the configured KeyPrefix.
-- The gateway runs this by itself when its role may create tables and functions; otherwise an administrator does, once.
--
-- Who may have writes on their way to a resource is decided under the lock of the resource's row, always. Locks are taken in this
-- order: rows of resources by key, then the own session's row, then rows of expired sessions by id. Time is the server's clock alone.

CREATE TABLE "{prefix}_schema" (
    version    integer     NOT NULL PRIMARY KEY,
    epoch      text        NOT NULL,                                -- another one: these are not the tables of before
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE "{prefix}_sessions" (
    id           text COLLATE "C" NOT NULL PRIMARY KEY,
    time_to_live interval         NOT NULL,
    expires_at   timestamptz      NOT NULL,
    ended_at     timestamptz                                        -- set: ended for good, whatever the clock says later
);

CREATE SEQUENCE "{prefix}_sequence";

CREATE TABLE "{prefix}_resources" (
    key         bytea       NOT NULL PRIMARY KEY,                   -- UTF-8, compared byte by byte
    mark        bigint      NOT NULL CHECK (mark >= 0),
    sequence    bigint      NOT NULL UNIQUE,                        -- of the last change of the mark, over all resources
    advanced_at timestamptz NOT NULL
);

CREATE TABLE "{prefix}_writers" (
    key      bytea            NOT NULL,
    session  text COLLATE "C" NOT NULL,
    token    bigint           NOT NULL CHECK (token > 0),           -- the lowest that this session may have on its way
    sequence bigint           NOT NULL,                             -- the gateway's number of the step that wrote it
    revoked  boolean          NOT NULL,                             -- token < mark
    PRIMARY KEY (key, session)
);
CREATE INDEX "{prefix}_writers_by_session" ON "{prefix}_writers" (session);
CREATE INDEX "{prefix}_writers_revoked" ON "{prefix}_writers" (session) WHERE revoked;

CREATE TABLE "{prefix}_operator_marks" (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    key     bytea       NOT NULL,
    "from"  bigint,
    "to"    bigint      NOT NULL,
    actor   text        NOT NULL,
    reason  text        NOT NULL
);

-- Tells every gateway that listens: "mark hexadecimal-key", with a + before it when nothing but the mark has changed. Channels belong to
-- the whole database and anybody may notify: the epoch in the channel's name keeps other tables of this prefix, and strangers, apart.
CREATE FUNCTION "{prefix}_notify"(p_key bytea, p_mark bigint, p_risen boolean DEFAULT false) RETURNS void LANGUAGE sql AS $$
    SELECT pg_notify((SELECT '{prefix}_' || left(replace(s.epoch, '-', ''), 24) FROM "{prefix}_schema" s WHERE s.version = 1),
        CASE WHEN p_risen THEN '+' ELSE '' END || p_mark || ' ' || encode(p_key, 'hex'));
$$;

-- Under the lock of the resource: ends the sessions of other writers that have expired by p_now.
CREATE FUNCTION "{prefix}_expire"(p_key bytea, p_session text, p_now timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- Waits for a heartbeat that is being committed, and looks again: either that counts, or it comes too late for ever.
    PERFORM 1 FROM "{prefix}_sessions" s
      WHERE s.ended_at IS NULL AND s.expires_at <= p_now
        AND s.id IN (SELECT w.session FROM "{prefix}_writers" w WHERE w.key = p_key AND w.session <> p_session)
      ORDER BY s.id FOR NO KEY UPDATE;
    IF FOUND THEN
        UPDATE "{prefix}_sessions" s SET ended_at = s.expires_at
          WHERE s.ended_at IS NULL AND s.expires_at <= p_now
            AND s.id IN (SELECT w.session FROM "{prefix}_writers" w WHERE w.key = p_key AND w.session <> p_session);
    END IF;
END $$;

-- After that: whether a writer of a session counts, which it does while the session lives and for p_hold afterwards.
CREATE FUNCTION "{prefix}_counts"(p_session text, p_hold interval, p_now timestamptz) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT 1 FROM "{prefix}_sessions" s
                     WHERE s.id = p_session AND (s.ended_at IS NULL OR s.ended_at + p_hold > p_now));
$$;

-- The atomic step of the protocol. Raises FG001 when the session has ended: then nothing is changed.
CREATE FUNCTION "{prefix}_enter"(
    p_key bytea, p_session text, p_token bigint, p_oldest bigint, p_sequence bigint, p_hold interval,
    OUT o_status integer,        -- 0 admitted, 1 draining, 2 stale
    OUT o_mark bigint,
    OUT o_retry_after bigint,    -- microseconds
    OUT o_held_elsewhere boolean)
LANGUAGE plpgsql AS $$
DECLARE
    v_before   bigint;
    v_own      bigint;
    v_last     bigint;
    v_now      timestamptz;
    v_lowest   bigint;
    v_register bigint;
    v_removed  integer := 0;
BEGIN
    o_retry_after := 0;
    o_held_elsewhere := false;

    SELECT r.mark INTO v_before FROM "{prefix}_resources" r WHERE r.key = p_key FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        INSERT INTO "{prefix}_resources" AS r (key, mark, sequence, advanced_at)
          VALUES (p_key, 0, nextval('"{prefix}_sequence"'), clock_timestamp())
          ON CONFLICT (key) DO UPDATE SET mark = r.mark
          RETURNING r.mark INTO v_before;
    END IF;

    -- Shared: the end of the session waits until this step is committed, a heartbeat does not.
    PERFORM 1 FROM "{prefix}_sessions" s
      WHERE s.id = p_session AND s.ended_at IS NULL AND s.expires_at > clock_timestamp() FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'session % has ended', p_session USING ERRCODE = 'FG001';
    END IF;

    SELECT w.token, w.sequence INTO v_own, v_last FROM "{prefix}_writers" w WHERE w.key = p_key AND w.session = p_session;
    IF (p_token <= v_before OR v_last > p_sequence) AND current_setting('synchronous_standby_names') <> '' THEN
        -- The mark may be here only, if its own commit's wait for the standby was broken off. Something to write makes this one wait.
        PERFORM pg_logical_emit_message(true, 'fencegateway', '');
    END IF;

    -- Stale; or a later step of this session was faster.
    IF p_token < v_before OR v_last > p_sequence THEN
        o_held_elsewhere := p_token >= v_before;
        o_status := CASE WHEN o_held_elsewhere THEN 1 ELSE 2 END;
        o_mark := v_before;
        RETURN;
    END IF;

    IF EXISTS (SELECT 1 FROM "{prefix}_writers" w WHERE w.key = p_key AND w.session <> p_session) THEN
        v_now := clock_timestamp();
        PERFORM "{prefix}_expire"(p_key, p_session, v_now);
        DELETE FROM "{prefix}_writers" w
          WHERE w.key = p_key AND w.session <> p_session AND NOT "{prefix}_counts"(w.session, p_hold, v_now);
        GET DIAGNOSTICS v_removed = ROW_COUNT;
        SELECT min(w.token),
               coalesce(bool_or(s.ended_at IS NULL), false),
               coalesce((extract(epoch FROM max(s.ended_at + p_hold - v_now)) * 1000000)::bigint, 0)
          INTO v_lowest, o_held_elsewhere, o_retry_after
          FROM "{prefix}_writers" w JOIN "{prefix}_sessions" s ON s.id = w.session
          WHERE w.key = p_key AND w.session <> p_session AND w.token < p_token;
    END IF;

    o_mark := p_token;
    IF p_token > v_before THEN
        UPDATE "{prefix}_resources" SET mark = p_token, sequence = nextval('"{prefix}_sequence"'), advanced_at = clock_timestamp()
          WHERE key = p_key;
        IF v_lowest IS NOT NULL THEN
            UPDATE "{prefix}_writers" SET revoked = true
              WHERE key = p_key AND session <> p_session AND token < p_token AND NOT revoked;
        END IF;
    END IF;

    -- A registration never stands above what is still on its way; one at this very token stays, its writes may be under way.
    o_status := CASE WHEN p_oldest < p_token OR v_lowest IS NOT NULL THEN 1 ELSE 0 END;
    v_register := CASE WHEN o_status = 0 THEN p_token WHEN p_oldest < p_token THEN p_oldest WHEN v_own = p_token THEN p_token END;
    IF v_register IS NOT NULL THEN
        INSERT INTO "{prefix}_writers" (key, session, token, sequence, revoked)
          VALUES (p_key, p_session, v_register, p_sequence, v_register < p_token)
          ON CONFLICT (key, session) DO UPDATE
            SET token = excluded.token, sequence = excluded.sequence, revoked = excluded.revoked;
    ELSIF v_own IS NOT NULL THEN
        DELETE FROM "{prefix}_writers" WHERE key = p_key AND session = p_session;
    END IF;

    IF v_removed > 0 OR (v_own < v_before AND (v_register IS NULL OR v_register > v_own)) THEN
        PERFORM "{prefix}_notify"(p_key, o_mark);
    ELSIF p_token > v_before AND o_held_elsewhere THEN
        PERFORM "{prefix}_notify"(p_key, o_mark, true);
    END IF;
END $$;

-- Takes registrations back that no later step has replaced.
CREATE FUNCTION "{prefix}_withdraw"(p_session text, p_keys bytea[], p_sequences bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_key  bytea;
    v_mark bigint;
BEGIN
    PERFORM 1 FROM "{prefix}_resources" r WHERE r.key = ANY (p_keys) ORDER BY r.key FOR NO KEY UPDATE;
    FOR v_key, v_mark IN
        WITH gone AS (
            DELETE FROM "{prefix}_writers" w USING unnest(p_keys, p_sequences) AS p(key, sequence)
              WHERE w.key = p.key AND w.session = p_session AND w.sequence <= p.sequence
              RETURNING w.key, w.revoked)
        SELECT r.key, r.mark FROM gone g JOIN "{prefix}_resources" r ON r.key = g.key WHERE g.revoked
    LOOP
        PERFORM "{prefix}_notify"(v_key, v_mark);
    END LOOP;
END $$;

-- Ends a session; waits for steps of it that are being taken.
CREATE FUNCTION "{prefix}_end_session"(p_session text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM "{prefix}_sessions" s WHERE s.id = p_session FOR UPDATE;
    UPDATE "{prefix}_sessions" s SET ended_at = least(s.expires_at, clock_timestamp()) WHERE s.id = p_session AND s.ended_at IS NULL;
END $$;

-- An operator's mark. False, and the mark is as it was: a writer holds newer tokens back, or the mark or the caller's own registration
-- is not the one that was read (carried out late, it would take away what was promised since).
CREATE FUNCTION "{prefix}_set_mark"(
    p_key bytea, p_session text, p_mark bigint, p_hold interval,
    p_read bigint,               -- the sequence of the mark as it was read; 0: there was none
    p_own bigint,                -- the sequence of the caller's registration as it was read; 0: there was none
    p_actor text, p_reason text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    v_before   bigint;
    v_sequence bigint;
    v_now      timestamptz;
BEGIN
    SELECT r.mark, r.sequence INTO v_before, v_sequence FROM "{prefix}_resources" r WHERE r.key = p_key FOR NO KEY UPDATE;
    IF coalesce(v_sequence, 0) <> p_read THEN
        RETURN false;
    END IF;

    IF v_sequence IS NULL THEN
        INSERT INTO "{prefix}_resources" (key, mark, sequence, advanced_at)
          VALUES (p_key, p_mark, nextval('"{prefix}_sequence"'), clock_timestamp())
          ON CONFLICT (key) DO NOTHING;
        IF NOT FOUND THEN
            RETURN false;
        END IF;
    ELSE
        v_now := clock_timestamp();
        PERFORM "{prefix}_expire"(p_key, p_session, v_now);
        IF EXISTS (SELECT 1 FROM "{prefix}_writers" w
                     WHERE w.key = p_key AND w.session <> p_session AND "{prefix}_counts"(w.session, p_hold, v_now)) THEN
            RETURN false;
        END IF;

        IF p_own <> coalesce((SELECT w.sequence FROM "{prefix}_writers" w WHERE w.key = p_key AND w.session = p_session), 0) THEN
            RETURN false;
        END IF;

        DELETE FROM "{prefix}_writers" WHERE key = p_key;
        UPDATE "{prefix}_resources" SET mark = p_mark, sequence = nextval('"{prefix}_sequence"'), advanced_at = clock_timestamp()
          WHERE key = p_key AND mark <> p_mark;
    END IF;

    INSERT INTO "{prefix}_operator_marks" (key, "from", "to", actor, reason) VALUES (p_key, v_before, p_mark, p_actor, p_reason);
    PERFORM "{prefix}_notify"(p_key, p_mark);
    RETURN true;
END $$;

-- What sessions that have ended for good have registered at a resource.
CREATE FUNCTION "{prefix}_ended"(p_key bytea) RETURNS TABLE (o_session text, o_sequence bigint) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM "{prefix}_resources" r WHERE r.key = p_key FOR NO KEY UPDATE;
    PERFORM "{prefix}_expire"(p_key, '', clock_timestamp());
    RETURN QUERY SELECT w.session::text, w.sequence FROM "{prefix}_writers" w
      WHERE w.key = p_key AND NOT EXISTS (SELECT 1 FROM "{prefix}_sessions" s WHERE s.id = w.session AND s.ended_at IS NULL);
END $$;

INSERT INTO "{prefix}_schema" (version, epoch) VALUES (1, gen_random_uuid());
