-- A message in a transaction of its own, as pgbench runs it: its row, its ledger entry, and one balance row that
-- all clients want.
BEGIN;
INSERT INTO messages (id, workspace_id, phone, text, status, created_at)
    VALUES (gen_random_uuid(), 1, '+15550000001', 'hello', 'queued', 0) RETURNING id \gset
INSERT INTO entries (workspace_id, message_id, amount, created_at) VALUES (1, :id, -1, 0);
UPDATE balances SET used = used + 1 WHERE workspace_id = 1;
COMMIT;
