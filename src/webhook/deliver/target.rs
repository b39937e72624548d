//! Where events go, and how they are signed there, as read after the lease was taken.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use entity::{
    id::{PartnerId, SubscriptionId},
    webhook_subscription as subscription,
};
use secrecy::SecretString;

use crate::{
    app::App,
    error::Result,
    partner::rotate_secret,
    webhook::{
        Owner, admin,
        deliver::{
            send::{Dialect, Place, Target},
            store,
        },
        retry::Policy,
        subscription::secret,
    },
};

/// The places of these owners.
pub(super) async fn all(app: &App, owners: BTreeSet<Owner>) -> Result<HashMap<Owner, Arc<Target>>> {
    let (mut partners, mut subscriptions) = (Vec::new(), Vec::new());
    for owner in owners {
        match owner {
            Owner::Partner(id) => partners.push(id),
            Owner::Subscription(id) => subscriptions.push(id),
        }
    }
    let mut targets = of_partners(app, partners).await?;
    targets.extend(of_subscriptions(app, subscriptions).await?);
    Ok(targets.into_iter().map(|target| (target.owner.clone(), Arc::new(target))).collect())
}

async fn of_partners(app: &App, partners: Vec<PartnerId>) -> Result<Vec<Target>> {
    if partners.is_empty() {
        return Ok(Vec::new());
    }
    let (endpoints, mut secrets) = tokio::try_join!(
        store::endpoints(app.db.reader(), partners.clone()),
        rotate_secret::verifying_of(app, app.db.reader(), &partners),
    )?;
    let mut endpoints: HashMap<_, _> = endpoints.into_iter().map(|one| (one.partner_id.clone(), one)).collect();
    let target = |id: PartnerId| {
        let place = match endpoints.remove(&id) {
            Some(found) if found.enabled => Place::Endpoint {
                url: found.url,
                is_failing: found.failing_since.is_some(),
                dialect: Dialect::Partner { secrets: secrets.remove(&id).unwrap_or_default() },
            },
            Some(found) => Place::Nobody(admin::disabled(&found)),
            None => Place::Nobody("no webhook is set".to_owned()),
        };
        let owner = Owner::Partner(id);
        Target { policy: Policy::of(&owner), owner, place }
    };
    Ok(partners.into_iter().map(target).collect())
}

async fn of_subscriptions(app: &App, ids: Vec<SubscriptionId>) -> Result<Vec<Target>> {
    let found = store::subscriptions(app.db.reader(), ids.clone()).await?;
    let found: HashMap<_, _> = found.into_iter().map(|one| (one.id, one)).collect();
    let target = |id: SubscriptionId| {
        let found = found.get(&id);
        let place = match (closed(found), found) {
            (None, Some(found)) => Place::Endpoint {
                url: found.url.clone(),
                is_failing: found.errors_counter > 0,
                dialect: dialect(found, secret::signing(app, found)?),
            },
            (reason, _) => Place::Nobody(reason.unwrap_or(DELETED).to_owned()),
        };
        let owner = Owner::Subscription(id);
        let policy = match found.filter(|found| found.events.is_some()) {
            Some(hook) => Policy::of_hook(hook.max_retries),
            None => Policy::of(&owner),
        };
        Ok(Target { owner, policy, place })
    };
    ids.into_iter().map(target).collect()
}

fn dialect(found: &subscription::Model, secrets: Vec<SecretString>) -> Dialect {
    match found.events {
        None => Dialect::Subscription { secrets },
        Some(_) => {
            let seconds = found.timeout_seconds.and_then(|seconds| u64::try_from(seconds).ok());
            Dialect::Hook { secrets, timeout: seconds.map(Duration::from_secs) }
        }
    }
}

const DELETED: &str = "the webhook was deleted";

/// Why nothing is sent to a subscription, if that is so.
pub(super) fn closed(found: Option<&subscription::Model>) -> Option<&'static str> {
    match found {
        None => Some(DELETED),
        Some(found) if found.deleted_at.is_some() => Some(DELETED),
        Some(found) if !found.enabled => Some("the webhook is disabled"),
        Some(_) => None,
    }
}
