-- FenceGateway's token store in MySQL and MariaDB, version 1. {prefix} stands for the configured KeyPrefix.
-- The gateway runs this by itself when its user may create tables and procedures; otherwise an administrator does, once.
-- A line with nothing but $$ ends a statement (DELIMITER $$ in the mysql client). DDL is no transaction here: the last statement says
-- that all is made, and what a broken-off attempt has left is made again.
--
-- Who may have writes on their way to a resource is decided under the lock of the resource's row, always. Locks are taken in this
-- order: rows of resources by key, then the own session's row, then rows of expired sessions by id. Time is the server's clock alone,
-- in microseconds since 1970 (UTC), read in a statement of its own after the locks.

CREATE TABLE IF NOT EXISTS `{prefix}_schema` (
    version    INT          NOT NULL PRIMARY KEY,
    epoch      VARCHAR(64)  NOT NULL,                -- another one: these are not the tables of before
    created_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
) ENGINE = InnoDB
$$
CREATE TABLE IF NOT EXISTS `{prefix}_sessions` (
    id           VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
    time_to_live BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    ended_at     BIGINT                              -- set: ended for good, whatever the clock says later
) ENGINE = InnoDB
$$
CREATE TABLE IF NOT EXISTS `{prefix}_resources` (
    resource    VARBINARY(1024) NOT NULL PRIMARY KEY, -- UTF-8, compared byte by byte
    mark        BIGINT NOT NULL,
    sequence    BIGINT NOT NULL,                      -- of the last change of the mark, over all resources
    advanced_at BIGINT NOT NULL,
    KEY (sequence)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC
$$
CREATE TABLE IF NOT EXISTS `{prefix}_writers` (
    resource VARBINARY(1024) NOT NULL,
    session  VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    token    BIGINT  NOT NULL,                        -- the lowest that this session may have on its way
    sequence BIGINT  NOT NULL,                        -- the gateway's number of the step that wrote it
    revoked  BOOLEAN NOT NULL,                        -- token < mark
    PRIMARY KEY (resource, session),
    KEY (session, revoked)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC
$$
CREATE TABLE IF NOT EXISTS `{prefix}_sequence` (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY     -- numbers are taken from it; no row stays
) ENGINE = InnoDB
$$
CREATE TABLE IF NOT EXISTS `{prefix}_changes` (
    id       BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    resource VARBINARY(1024) NOT NULL,
    mark     BIGINT NOT NULL,
    risen    BOOLEAN NOT NULL DEFAULT FALSE           -- nothing but the mark has changed
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC
$$
CREATE TABLE IF NOT EXISTS `{prefix}_operator_marks` (
    id        BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    at        TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    resource  VARBINARY(1024) NOT NULL,
    from_mark BIGINT,
    to_mark   BIGINT NOT NULL,
    actor     TEXT CHARACTER SET utf8mb4 NOT NULL,
    reason    TEXT CHARACTER SET utf8mb4 NOT NULL
) ENGINE = InnoDB
$$
-- A number that was never used before.
DROP PROCEDURE IF EXISTS `{prefix}_next`
$$
CREATE PROCEDURE `{prefix}_next`(OUT o_sequence BIGINT) SQL SECURITY INVOKER
BEGIN
    INSERT INTO `{prefix}_sequence` VALUES (NULL);
    SET o_sequence = LAST_INSERT_ID();
    DELETE FROM `{prefix}_sequence` WHERE id = o_sequence;
END
$$
-- Under the lock of the resource: ends the sessions of other writers that have expired by p_now. One by one, by primary key, so that
-- no other row is locked; the update waits for a heartbeat that is being committed, and looks again.
DROP PROCEDURE IF EXISTS `{prefix}_expire`
$$
CREATE PROCEDURE `{prefix}_expire`(p_resource VARBINARY(1024), p_session VARCHAR(200) CHARACTER SET utf8mb4, p_now BIGINT)
SQL SECURITY INVOKER
BEGIN
    DECLARE v_expired VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
    expire: LOOP
        SET v_expired = NULL;
        SELECT s.id INTO v_expired FROM `{prefix}_writers` w JOIN `{prefix}_sessions` s ON s.id = w.session
          WHERE w.resource = p_resource AND w.session <> p_session AND s.ended_at IS NULL AND s.expires_at <= p_now
          ORDER BY s.id LIMIT 1;
        IF v_expired IS NULL THEN
            LEAVE expire;
        END IF;
        UPDATE `{prefix}_sessions` SET ended_at = expires_at WHERE id = v_expired AND ended_at IS NULL AND expires_at <= p_now;
    END LOOP;
END
$$
-- After that: removes the writers that count no more, p_hold after their session's end.
DROP PROCEDURE IF EXISTS `{prefix}_settle`
$$
CREATE PROCEDURE `{prefix}_settle`(
    p_resource VARBINARY(1024), p_session VARCHAR(200) CHARACTER SET utf8mb4, p_hold BIGINT, p_now BIGINT, OUT o_removed INT)
SQL SECURITY INVOKER
BEGIN
    DECLARE v_gone VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
    SET o_removed = 0;
    settle: LOOP
        SET v_gone = NULL;
        SELECT w.session INTO v_gone FROM `{prefix}_writers` w LEFT JOIN `{prefix}_sessions` s ON s.id = w.session
          WHERE w.resource = p_resource AND w.session <> p_session AND (s.id IS NULL OR s.ended_at + p_hold <= p_now) LIMIT 1;
        IF v_gone IS NULL THEN
            LEAVE settle;
        END IF;
        DELETE FROM `{prefix}_writers` WHERE resource = p_resource AND session = v_gone;
        SET o_removed = o_removed + 1;
    END LOOP;
END
$$
-- The atomic step of the protocol. Error 32001 when the session has ended: then nothing is changed. Answers with a row: status
-- (0 admitted, 1 draining, 2 stale), mark, microseconds to wait, held elsewhere.
DROP PROCEDURE IF EXISTS `{prefix}_enter`
$$
CREATE PROCEDURE `{prefix}_enter`(
    p_resource VARBINARY(1024), p_session VARCHAR(200) CHARACTER SET utf8mb4, p_token BIGINT, p_oldest BIGINT, p_sequence BIGINT,
    p_hold BIGINT)
SQL SECURITY INVOKER
step: BEGIN
    DECLARE v_before, v_own, v_last, v_now, v_expires, v_lowest, v_register, v_next BIGINT;
    DECLARE v_retry_after BIGINT DEFAULT 0;
    DECLARE v_status, v_removed, v_others INT DEFAULT 0;
    DECLARE v_held_elsewhere BOOLEAN DEFAULT FALSE;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        ROLLBACK;
        RESIGNAL;
    END;

    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    START TRANSACTION;
    SELECT mark INTO v_before FROM `{prefix}_resources` WHERE resource = p_resource FOR UPDATE;
    IF v_before IS NULL THEN
        CALL `{prefix}_next`(v_next);
        INSERT INTO `{prefix}_resources` (resource, mark, sequence, advanced_at)
          VALUES (p_resource, 0, v_next, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)))
          ON DUPLICATE KEY UPDATE mark = mark;
        SELECT mark INTO v_before FROM `{prefix}_resources` WHERE resource = p_resource FOR UPDATE;
    END IF;

    -- Shared: the end of the session waits until this step is committed.
    SELECT expires_at INTO v_expires FROM `{prefix}_sessions` WHERE id = p_session AND ended_at IS NULL LOCK IN SHARE MODE;
    SET v_now = TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6));
    IF v_expires IS NULL OR v_expires <= v_now THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'The session of this gateway has ended in the token store.', MYSQL_ERRNO = 32001;
    END IF;

    SELECT token, sequence INTO v_own, v_last FROM `{prefix}_writers` WHERE resource = p_resource AND session = p_session;
    IF p_token < v_before OR v_last > p_sequence THEN
        -- Stale; or a later step of this session was faster. The mark may have been seen before its own commit is on disk or at a replica:
        -- something to write makes this one wait for it.
        CALL `{prefix}_next`(v_next);
        COMMIT;
        SELECT IF(p_token < v_before, 2, 1), v_before, 0, p_token >= v_before;
        LEAVE step;
    END IF;

    SELECT COUNT(*) INTO v_others FROM `{prefix}_writers` WHERE resource = p_resource AND session <> p_session;
    IF v_others > 0 THEN
        CALL `{prefix}_expire`(p_resource, p_session, v_now);
        CALL `{prefix}_settle`(p_resource, p_session, p_hold, v_now, v_removed);
        SELECT MIN(w.token), COALESCE(MAX(s.ended_at IS NULL), FALSE), COALESCE(MAX(s.ended_at + p_hold - v_now), 0)
          INTO v_lowest, v_held_elsewhere, v_retry_after
          FROM `{prefix}_writers` w JOIN `{prefix}_sessions` s ON s.id = w.session
          WHERE w.resource = p_resource AND w.session <> p_session AND w.token < p_token;
    END IF;

    IF p_token > v_before THEN
        CALL `{prefix}_next`(v_next);
        UPDATE `{prefix}_resources` SET mark = p_token, sequence = v_next, advanced_at = v_now WHERE resource = p_resource;
        IF v_lowest IS NOT NULL THEN
            UPDATE `{prefix}_writers` SET revoked = TRUE
              WHERE resource = p_resource AND session <> p_session AND token < p_token AND NOT revoked;
        END IF;
    END IF;

    -- A registration never stands above what is still on its way; one at this very token stays, its writes may be under way.
    SET v_status = IF(p_oldest < p_token OR v_lowest IS NOT NULL, 1, 0);
    IF v_status = 1 AND p_token = v_before THEN
        -- Nothing else may change, and the mark is told all the same.
        CALL `{prefix}_next`(v_next);
    END IF;
    SET v_register = CASE WHEN v_status = 0 THEN p_token WHEN p_oldest < p_token THEN p_oldest WHEN v_own = p_token THEN p_token END;
    IF v_register IS NOT NULL THEN
        INSERT INTO `{prefix}_writers` (resource, session, token, sequence, revoked)
          VALUES (p_resource, p_session, v_register, p_sequence, v_register < p_token)
          ON DUPLICATE KEY UPDATE token = v_register, sequence = p_sequence, revoked = v_register < p_token;
    ELSEIF v_own IS NOT NULL THEN
        DELETE FROM `{prefix}_writers` WHERE resource = p_resource AND session = p_session;
    END IF;

    IF v_removed > 0 OR (v_own < v_before AND (v_register IS NULL OR v_register > v_own)) THEN
        INSERT INTO `{prefix}_changes` (resource, mark) VALUES (p_resource, p_token);
    ELSEIF p_token > v_before AND v_held_elsewhere THEN
        INSERT INTO `{prefix}_changes` (resource, mark, risen) VALUES (p_resource, p_token, TRUE);
    END IF;
    COMMIT;
    SELECT v_status, p_token, v_retry_after, v_held_elsewhere;
END
$$
-- Takes one registration back unless a later step has replaced it; part of the caller's transaction.
DROP PROCEDURE IF EXISTS `{prefix}_withdraw`
$$
CREATE PROCEDURE `{prefix}_withdraw`(p_resource VARBINARY(1024), p_session VARCHAR(200) CHARACTER SET utf8mb4, p_sequence BIGINT)
SQL SECURITY INVOKER
BEGIN
    DECLARE v_mark BIGINT;
    DECLARE v_revoked BOOLEAN;
    SELECT mark INTO v_mark FROM `{prefix}_resources` WHERE resource = p_resource FOR UPDATE;
    SELECT revoked INTO v_revoked FROM `{prefix}_writers`
      WHERE resource = p_resource AND session = p_session AND sequence <= p_sequence;
    IF v_revoked IS NOT NULL THEN
        DELETE FROM `{prefix}_writers` WHERE resource = p_resource AND session = p_session AND sequence <= p_sequence;
    END IF;
    IF v_revoked THEN
        INSERT INTO `{prefix}_changes` (resource, mark) VALUES (p_resource, v_mark);
    END IF;
END
$$
DROP PROCEDURE IF EXISTS `{prefix}_start_session`
$$
CREATE PROCEDURE `{prefix}_start_session`(p_session VARCHAR(200) CHARACTER SET utf8mb4, p_time_to_live BIGINT) SQL SECURITY INVOKER
BEGIN
    INSERT INTO `{prefix}_sessions` (id, time_to_live, expires_at)
      VALUES (p_session, p_time_to_live, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) + p_time_to_live);
END
$$
-- Prolongs a session. A row for each resource where it is revoked, and a last one (NULL, 1) if it lives.
DROP PROCEDURE IF EXISTS `{prefix}_heartbeat`
$$
CREATE PROCEDURE `{prefix}_heartbeat`(p_session VARCHAR(200) CHARACTER SET utf8mb4) SQL SECURITY INVOKER
BEGIN
    DECLARE v_expires, v_now BIGINT;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        ROLLBACK;
        RESIGNAL;
    END;

    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    START TRANSACTION;
    SELECT expires_at INTO v_expires FROM `{prefix}_sessions` WHERE id = p_session AND ended_at IS NULL FOR UPDATE;
    SET v_now = TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6));
    IF v_expires > v_now THEN
        UPDATE `{prefix}_sessions` SET expires_at = v_now + time_to_live WHERE id = p_session;
    END IF;
    COMMIT;
    (SELECT w.resource, r.mark FROM `{prefix}_writers` w JOIN `{prefix}_resources` r ON r.resource = w.resource
       WHERE w.session = p_session AND w.revoked AND v_expires > v_now LIMIT 1000)
    UNION ALL
    (SELECT NULL, 1 FROM DUAL WHERE v_expires > v_now);
END
$$
-- Ends a session; waits for steps of it that are being taken.
DROP PROCEDURE IF EXISTS `{prefix}_end_session`
$$
CREATE PROCEDURE `{prefix}_end_session`(p_session VARCHAR(200) CHARACTER SET utf8mb4) SQL SECURITY INVOKER
BEGIN
    UPDATE `{prefix}_sessions` SET ended_at = LEAST(expires_at, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)))
      WHERE id = p_session AND ended_at IS NULL;
END
$$
-- An operator's mark. Answers 0, and the mark is as it was: a writer holds newer tokens back, or the mark or the caller's own
-- registration is not the one that was read (p_read, p_own: their sequences, 0 when there was none). Carried out late, it would take
-- away what was promised since.
DROP PROCEDURE IF EXISTS `{prefix}_set_mark`
$$
CREATE PROCEDURE `{prefix}_set_mark`(
    p_resource VARBINARY(1024), p_session VARCHAR(200) CHARACTER SET utf8mb4, p_mark BIGINT, p_hold BIGINT, p_read BIGINT, p_own BIGINT,
    p_actor TEXT CHARACTER SET utf8mb4, p_reason TEXT CHARACTER SET utf8mb4)
SQL SECURITY INVOKER
step: BEGIN
    DECLARE v_before, v_sequence, v_own, v_next, v_now BIGINT;
    DECLARE v_count INT DEFAULT 0;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        ROLLBACK;
        RESIGNAL;
    END;

    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    START TRANSACTION;
    CALL `{prefix}_next`(v_next);
    SET v_now = TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6));
    IF p_read = 0 THEN
        INSERT INTO `{prefix}_resources` (resource, mark, sequence, advanced_at) VALUES (p_resource, p_mark, v_next, v_now)
          ON DUPLICATE KEY UPDATE mark = mark;
    END IF;
    SELECT mark, sequence INTO v_before, v_sequence FROM `{prefix}_resources` WHERE resource = p_resource FOR UPDATE;
    IF p_read = 0 AND v_sequence = v_next THEN
        SET v_before = NULL;
    ELSEIF v_sequence IS NULL OR v_sequence <> p_read THEN
        ROLLBACK;
        SELECT 0;
        LEAVE step;
    ELSE
        SET v_now = TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6));
        CALL `{prefix}_expire`(p_resource, p_session, v_now);
        SELECT COUNT(*) INTO v_count FROM `{prefix}_writers` w JOIN `{prefix}_sessions` s ON s.id = w.session
          WHERE w.resource = p_resource AND w.session <> p_session AND (s.ended_at IS NULL OR s.ended_at + p_hold > v_now);
        SELECT sequence INTO v_own FROM `{prefix}_writers` WHERE resource = p_resource AND session = p_session;
        IF v_count > 0 OR COALESCE(v_own, 0) <> p_own THEN
            COMMIT;
            SELECT 0;
            LEAVE step;
        END IF;
        DELETE FROM `{prefix}_writers` WHERE resource = p_resource;
        UPDATE `{prefix}_resources` SET mark = p_mark, sequence = v_next, advanced_at = v_now
          WHERE resource = p_resource AND mark <> p_mark;
    END IF;

    INSERT INTO `{prefix}_operator_marks` (resource, from_mark, to_mark, actor, reason)
      VALUES (p_resource, v_before, p_mark, p_actor, p_reason);
    INSERT INTO `{prefix}_changes` (resource, mark) VALUES (p_resource, p_mark);
    COMMIT;
    SELECT 1;
END
$$
-- What sessions that have ended for good have registered at a resource: rows of session and sequence.
DROP PROCEDURE IF EXISTS `{prefix}_ended`
$$
CREATE PROCEDURE `{prefix}_ended`(p_resource VARBINARY(1024)) SQL SECURITY INVOKER
BEGIN
    DECLARE v_mark BIGINT;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        ROLLBACK;
        RESIGNAL;
    END;

    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    START TRANSACTION;
    SELECT mark INTO v_mark FROM `{prefix}_resources` WHERE resource = p_resource FOR UPDATE;
    CALL `{prefix}_expire`(p_resource, '', TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)));
    COMMIT;
    SELECT w.session, w.sequence FROM `{prefix}_writers` w LEFT JOIN `{prefix}_sessions` s ON s.id = w.session
      WHERE w.resource = p_resource AND (s.id IS NULL OR s.ended_at IS NOT NULL);
END
$$
INSERT INTO `{prefix}_schema` (version, epoch) VALUES (1, UUID())
