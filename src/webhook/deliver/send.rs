//! One try: sign, post, look at the answer.

use std::{sync::Arc, time::Duration};

use entity::{event, id::DeliveryId, timestamp::Timestamp};
use reqwest::{
    Method, Response,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use secrecy::SecretString;

use crate::{
    app::App,
    error::Result,
    webhook::{
        Owner,
        deliver::{lanes::Ticket, sign},
        retry::{self, Answer, Policy},
    },
};

/// What is read of an answer, so that its connection can be used again.
const MOST_ANSWER_BYTES: usize = 16 * 1024;
const ANSWER_TIMEOUT: Duration = Duration::from_millis(250);

/// A leased delivery with all that it takes to send it.
pub(super) struct Parcel {
    pub(super) delivery_id: DeliveryId,
    /// Tries before this one.
    pub(super) tries: i32,
    /// The event's number, where its subscription numbers them.
    pub(super) sequence: Option<i64>,
    pub(super) event: Arc<event::Model>,
    pub(super) target: Arc<Target>,
    /// When it stops being ours.
    pub(super) leased_until: Timestamp,
    pub(super) ticket: Ticket,
}

/// Where an owner's events go, as read after the lease was taken.
pub(super) struct Target {
    pub(super) owner: Owner,
    pub(super) policy: Policy,
    pub(super) place: Place,
}

/// An endpoint that can be sent to, or why there is none.
pub(super) enum Place {
    Endpoint { url: String, is_failing: bool, dialect: Dialect },
    Nobody(String),
}

/// Which headers an endpoint gets.
pub(super) enum Dialect {
    /// Both signatures, under the partner's secrets, the one that signs first.
    Partner { secrets: Vec<SecretString> },
    /// A signature for each secret, if there is one, and the event's number, if it has one.
    Subscription { secrets: Vec<SecretString> },
    /// The same, and Linktor's headers under the newest secret; its answer may have a time-out of its own.
    Hook { secrets: Vec<SecretString>, timeout: Option<Duration> },
}

/// What came of a try.
pub(super) struct Tried {
    pub(super) at: Timestamp,
    pub(super) duration_ms: i64,
    pub(super) answer: Answer,
}

/// Sends a delivery once.
pub(super) async fn send(app: &App, parcel: &Parcel) -> Tried {
    let at = app.clock.now();
    let watch = app.clock.stopwatch();
    let answer = match &parcel.target.place {
        Place::Nobody(reason) => Answer::Nobody(reason.clone()),
        Place::Endpoint { url, dialect, .. } => post(app, parcel, url, dialect).await.unwrap_or_else(|error| {
            tracing::warn!(%error, delivery.id = %parcel.delivery_id, "a webhook could not be sent");
            Answer::Nothing(error.description())
        }),
    };
    Tried { at, duration_ms: i64::try_from(watch.elapsed_ms()).unwrap_or(i64::MAX), answer }
}

async fn post(app: &App, parcel: &Parcel, url: &str, dialect: &Dialect) -> Result<Answer> {
    let (event, now) = (&parcel.event, app.clock.now());
    let headers = match dialect {
        Dialect::Partner { secrets } => sign::for_partner(now, &event.partner_id, secrets, event.id, &event.body)?,
        Dialect::Subscription { secrets } => {
            sign::for_subscription(now, secrets, event.id, &event.body, parcel.sequence)?
        }
        Dialect::Hook { secrets, .. } => sign::for_hook(now, secrets, event, parcel.delivery_id)?,
    };
    let mut request = app.outbound.webhook_request(Method::POST, url)?.header(CONTENT_TYPE, "application/json");
    if let Dialect::Hook { timeout: Some(timeout), .. } = dialect {
        request = request.timeout(*timeout);
    }
    for (name, value) in headers {
        request = request.header(name, value);
    }
    Ok(match request.body(event.body.clone()).send().await {
        Ok(response) => {
            let code = response.status().as_u16();
            let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let retry_after = asked.and_then(|value| retry::retry_after(value, app.clock.now()));
            read_to_the_end(response).await;
            Answer::Status { code, retry_after }
        }
        Err(error) => Answer::Nothing(app.outbound.describe(&error)),
    })
}

/// Reads the rest of a short answer. What it says is of no interest, and neither is whether it ends.
async fn read_to_the_end(mut response: Response) {
    let reading = async {
        let mut bytes = 0;
        while let Ok(Some(chunk)) = response.chunk().await {
            bytes += chunk.len();
            if bytes > MOST_ANSWER_BYTES {
                return;
            }
        }
    };
    // Where it takes too long the connection is given up.
    let _ = tokio::time::timeout(ANSWER_TIMEOUT, reading).await;
}
