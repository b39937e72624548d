//! Who is told: endpoints of partners and webhooks of workspaces, each at a path of its own below one address.

use entity::{
    id::{PartnerId, SubscriptionId},
    partner_webhook,
};
use quartermaster::{
    app::App,
    db,
    webhook::{Owner, subscription},
};
use reqwest::Client;
use sea_orm::{EntityTrait, IntoActiveModel};
use serde_json::{Value, json};

use crate::{load, place::Place, seed};

pub(super) const PARTNERS: usize = 16;
pub(super) const SUBSCRIPTIONS: usize = 200;
/// What nothing in this part makes happen.
const TOPIC: &str = "chat:responsible:assigned";

/// Partners with an endpoint each, the one of [`seed::customers`] first.
pub(super) async fn partners(app: &App, url: &str) -> Vec<Owner> {
    let mut ids = vec![PartnerId::parse(seed::PARTNER).expect("an id")];
    for number in 1..PARTNERS {
        ids.push(seed::another_partner(app, &format!("{}-{number}", seed::PARTNER)).await);
    }
    let now = app.clock.now();
    let endpoint = |id: &PartnerId| partner_webhook::Model {
        partner_id: id.clone(),
        url: format!("{url}/{id}"),
        enabled: true,
        disabled_reason: None,
        failing_since: None,
        created_at: now,
        updated_at: now,
    };
    let endpoints: Vec<_> = ids.iter().map(|id| endpoint(id).into_active_model()).collect();
    let written = db::write(&app.db, "endpoints", async |tx| {
        Ok(partner_webhook::Entity::insert_many(endpoints.clone()).exec_without_returning(tx).await?)
    });
    written.await.expect("endpoints");
    ids.into_iter().map(Owner::Partner).collect()
}

/// Signed webhooks of workspaces, as many of each as it can have.
pub(super) async fn subscriptions(place: &Place, tokens: &[String], url: &str) -> Vec<Owner> {
    let (server, client) = (place.both(), load::client());
    let hooks = format!("http://{}/integrations/api/webhooks", server.address);
    let mut owners = Vec::with_capacity(SUBSCRIPTIONS);
    for number in 0..SUBSCRIPTIONS {
        let token = &tokens[number / subscription::MOST];
        owners.push(subscribe(&client, &hooks, token, &format!("{url}/{number}")).await);
    }
    owners
}

async fn subscribe(client: &Client, hooks: &str, token: &str, url: &str) -> Owner {
    let body = json!({ "event_type": TOPIC, "url": url, "signed": true }).to_string();
    let request = client.post(hooks).bearer_auth(token).header("content-type", "application/json").body(body);
    let answer = request.send().await.and_then(reqwest::Response::error_for_status).expect("a webhook");
    let answer: Value = serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON");
    Owner::Subscription(SubscriptionId(answer["data"]["id"].as_i64().expect("an id")))
}
