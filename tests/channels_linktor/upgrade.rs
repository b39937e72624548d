//! The step from which on messages count when they go out keeps what was counted.

use entity::{channel_total, id::MessageId, message};
use sea_orm::{ConnectionTrait, DatabaseConnection, QueryOrder, Statement};
use uuid::Uuid;

use super::*;
use crate::support::database::Upgrade;

const STEP: &str = "m0060_sent";

async fn run(db: &DatabaseConnection, sql: &str, values: Vec<sea_orm::Value>) {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    db.execute_raw(statement).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// A channel of which the first minute is counted, and messages before and after its end.
async fn fill(db: &DatabaseConnection) {
    for sql in [
        "INSERT INTO partners (id, name, plan_id, status, sandbox, embedding_origins, created_at, updated_at) \
         VALUES ('acme', 'Acme', 1, 'active', FALSE, '', 0, 0)",
        "INSERT INTO workspaces (partner_id, slug, display_name, display_name_folded, plan_id, status, seats_total, \
         seats_used, time_zone, created_at, updated_at) \
         VALUES ('acme', 'bakery', 'Bakery', 'bakery', 1, 'active', 2, 1, 'UTC', 0, 0)",
        "INSERT INTO groups (workspace_id, name) VALUES (1, 'Default')",
        "INSERT INTO users (workspace_id, group_id, role, display_name, email, status, created_at, updated_at) \
         VALUES (1, 1, 'owner', 'Owner', 'owner@example.com', 'activated', 0, 0)",
    ] {
        run(db, sql, vec![]).await;
    }
    let channel = "INSERT INTO channels (account_id, id, workspace_id, user_id, network, connector, session, state, \
         suspended, external_id, phone, account_name, connected_at, created_at, updated_at) VALUES (7, $1, 1, 1, \
         'whatsapp', 'sandbox', $1, 'connected', FALSE, 'x', '', '', 0, 0, 0)";
    run(db, channel, vec![Uuid::from_u128(7).into()]).await;
    run(db, "UPDATE traffic_progress SET until = 60000000", vec![]).await;
    run(db, "INSERT INTO channel_totals (account_id, received, sent) VALUES (7, 0, 3)", vec![]).await;
    for (n, direction, status, kind, at) in [
        (1u128, "sent", "read", None, 10),
        (2, "sent", "queued", None, 20),
        (3, "sent", "failed", None, 30),
        (4, "sent", "delivered", None, 70),
        (5, "sent", "queued", None, 71),
        (6, "received", "received", None, 72),
        (8, "sent", "sent", Some("call"), 73),
    ] {
        let message = "INSERT INTO messages (id, workspace_id, account_id, chat_id, direction, status, kind, origin, \
             tries, created_at, updated_at) VALUES ($1, 1, 7, 1, $2, $3, $4, 'x', 0, $5, $5)";
        let at = at * 1_000_000i64;
        run(db, message, vec![Uuid::from_u128(n).into(), direction.into(), status.into(), kind.into(), at.into()])
            .await;
    }
}

#[tokio::test]
async fn what_was_counted_and_has_not_gone_out_is_counted_when_it_does() {
    let upgrade = Upgrade::before(STEP).await;
    let db = &upgrade.db;
    fill(db).await;
    let total = async || channel_total::Entity::find().one(db).await.expect("a look").expect("a total").sent;
    for _ in 0..2 {
        upgrade.up().await;
        assert_eq!(total().await, 1, "two have not gone out");
        let messages = message::Entity::find().order_by_asc(message::Column::Id).all(db).await.expect("messages");
        let sent: Vec<MessageId> = messages.iter().filter(|one| one.sent_at.is_some()).map(|one| one.id).collect();
        assert_eq!(sent, [MessageId(Uuid::from_u128(4))], "it is still to be counted");
        upgrade.down().await;
        assert_eq!(total().await, 3);
    }
}
