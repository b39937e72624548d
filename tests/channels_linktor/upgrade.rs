//! The step from which on messages count when they go out keeps what was counted.

use entity::{channel_total, id::MessageId, message};
use sea_orm::QueryOrder;
use uuid::Uuid;

use super::*;
use crate::support::database::Upgrade;

const STEP: &str = "m0060_sent";

/// A channel of which the first minute is counted, and messages before and after its end.
async fn fill(upgrade: &Upgrade) {
    upgrade.open_workspace().await;
    let channel = "INSERT INTO channels (account_id, id, workspace_id, user_id, network, connector, session, state, \
         suspended, external_id, phone, account_name, connected_at, created_at, updated_at) VALUES (7, $1, 1, 1, \
         'whatsapp', 'sandbox', $1, 'connected', FALSE, 'x', '', '', 0, 0, 0)";
    upgrade.run(channel, vec![Uuid::from_u128(7).into()]).await;
    upgrade.run("UPDATE traffic_progress SET until = 60000000", vec![]).await;
    upgrade.run("INSERT INTO channel_totals (account_id, received, sent) VALUES (7, 0, 3)", vec![]).await;
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
        upgrade
            .run(message, vec![Uuid::from_u128(n).into(), direction.into(), status.into(), kind.into(), at.into()])
            .await;
    }
}

#[tokio::test]
async fn what_was_counted_and_has_not_gone_out_is_counted_when_it_does() {
    let upgrade = Upgrade::before(STEP).await;
    let db = &upgrade.db;
    fill(&upgrade).await;
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
