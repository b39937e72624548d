//! The step that makes deliveries belong to partners or subscriptions keeps what was there.

use entity::{delivery, delivery_attempt, id::PartnerId, token};
use sea_orm::{DatabaseConnection, EntityTrait, QueryOrder, Value};
use uuid::Uuid;

use crate::support::database::Upgrade;

const STEP: &str = "m0019_subscriptions";
const ALL: &str = "workspace:read accounts:read chats:read chats:write messages:read messages:write";

async fn scopes(db: &DatabaseConnection) -> Vec<String> {
    let tokens = token::Entity::find().order_by_asc(token::Column::Name).all(db).await.expect("tokens");
    tokens.into_iter().map(|token| token.scopes).collect()
}

/// A delivery with two tries, and two tokens, as the release before wrote them.
async fn fill(upgrade: &Upgrade) {
    upgrade.open_workspace().await;
    let ids: Vec<Value> = (1..=4).map(|n| Uuid::from_u128(n).into()).collect();
    let event = "INSERT INTO events (id, partner_id, kind, body, created_at) VALUES ($1, 'acme', 'x', '{}', 0)";
    upgrade.run(event, vec![ids[0].clone()]).await;
    let delivery = "INSERT INTO deliveries (id, event_id, partner_id, state, tries, due_at, created_at) \
                    VALUES ($1, $2, 'acme', 'pending', 2, 7, 0)";
    upgrade.run(delivery, vec![ids[1].clone(), ids[0].clone()]).await;
    for status in [500, 503] {
        let attempt = "INSERT INTO delivery_attempts (delivery_id, at, duration_ms, status) VALUES ($1, 1, 1, $2)";
        upgrade.run(attempt, vec![ids[1].clone(), status.into()]).await;
    }
    for (name, scopes, id) in [("all", ALL, &ids[2]), ("narrow", "chats:read messages:read", &ids[3])] {
        let token = "INSERT INTO tokens (id, workspace_id, user_id, kind, name, scopes, digest, created_at) \
                     VALUES ($1, 1, 1, 'issued', $2, $3, $4, 0)";
        upgrade.run(token, vec![id.clone(), name.into(), scopes.into(), name.as_bytes().to_vec().into()]).await;
    }
}

#[tokio::test]
async fn deliveries_and_tokens_of_the_release_before_are_kept() {
    let upgrade = Upgrade::before(STEP).await;
    let db = &upgrade.db;
    fill(&upgrade).await;
    for _ in 0..2 {
        upgrade.up().await;
        let kept = delivery::Entity::find().one(db).await.expect("a look").expect("the delivery");
        assert_eq!(kept.partner_id, Some(PartnerId::parse("acme").expect("an id")));
        assert_eq!((kept.subscription_id, kept.sequence, kept.tries), (None, None, 2));
        assert_eq!((kept.state, kept.due_at.map(|at| at.0)), (delivery::State::Pending, Some(7)));
        let tries = delivery_attempt::Entity::find().order_by_asc(delivery_attempt::Column::Id).all(db).await;
        let statuses: Vec<Option<i32>> = tries.expect("tries").into_iter().map(|one| one.status).collect();
        assert_eq!(statuses, [Some(500), Some(503)]);
        let with_webhooks = format!("{ALL} webhooks:read webhooks:write");
        assert_eq!(scopes(db).await, [with_webhooks.as_str(), "chats:read messages:read"]);
        upgrade.down().await;
        assert_eq!(scopes(db).await, [ALL, "chats:read messages:read"]);
    }
}
