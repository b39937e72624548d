//! What simulated recipients do with a message: mostly they get and read it.
//!
//! The provider's side of sending: each try and each arrival is counted, so that whoever sends a message twice is seen.

use std::time::Duration;

use futures_util::StreamExt;
use sea_orm::DatabaseTransaction;
use sha2::{Digest, Sha256};

use crate::{
    app::App,
    connector::{
        Delivery, Outgoing,
        sandbox::store::{self, Shown},
    },
    db,
    error::{Error, Result},
    file::{self, Attachment},
    message::{
        Jid,
        status::{Receipt, ReceiptEvent},
    },
    queue::{self, Work},
};

const RATE_LIMIT_PAUSE: Duration = Duration::from_secs(5);

/// How a recipient answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recipient {
    Usual,
    NotOnNetwork,
    FailsLate,
    RateLimitedOnce,
    UnavailableOnce,
    AnswerLost,
    MessageLost,
}

impl Recipient {
    fn of(jid: &Jid) -> Self {
        let digits = jid.as_str().split('@').next().unwrap_or_default();
        match digits.get(digits.len().saturating_sub(6)..).unwrap_or_default() {
            "000404" => Self::NotOnNetwork,
            "000410" => Self::FailsLate,
            "000429" => Self::RateLimitedOnce,
            "000503" => Self::UnavailableOnce,
            "000504" => Self::AnswerLost,
            "000505" => Self::MessageLost,
            _ => Self::Usual,
        }
    }

    /// What the provider answers to this try, and whether the message arrives.
    fn answer(self, tries: i32, provider_ref: &str) -> (Delivery, bool) {
        let accepted = || (Delivery::Accepted { provider_ref: provider_ref.to_owned() }, true);
        match self {
            Self::NotOnNetwork => (Delivery::Rejected { reason: "not_on_network".to_owned() }, false),
            Self::RateLimitedOnce if tries <= 1 => {
                (Delivery::TryLater { after: Some(RATE_LIMIT_PAUSE), reason: "rate_limited".to_owned() }, false)
            }
            Self::UnavailableOnce if tries <= 1 => {
                (Delivery::TryLater { after: None, reason: "temporary_error".to_owned() }, false)
            }
            Self::AnswerLost => (Delivery::Lost, true),
            Self::MessageLost => (Delivery::Lost, false),
            Self::Usual | Self::FailsLate | Self::RateLimitedOnce | Self::UnavailableOnce => accepted(),
        }
    }

    /// What is told later of a message that arrived: after how many pauses, and what.
    fn receipts(self) -> Vec<(u32, ReceiptEvent)> {
        match self {
            Self::FailsLate => vec![(1, ReceiptEvent::Failed { reason: "undeliverable".to_owned() })],
            _ => vec![(1, ReceiptEvent::Delivered), (2, ReceiptEvent::Read)],
        }
    }
}

pub(super) async fn send(app: &App, outgoing: &Outgoing) -> Delivery {
    let attachment = match &outgoing.attachment {
        Some(attachment) => match read_attachment(app, attachment).await {
            Ok(read) => Some(read),
            Err(error) => {
                tracing::warn!(%error, message.id = %outgoing.message_id, "a file could not be read");
                return Delivery::TryLater { after: None, reason: "file_unavailable".to_owned() };
            }
        },
        None => None,
    };
    let sent = db::write(&app.db, "sandbox.send", async |tx| {
        if !store::is_linked(tx, outgoing.session).await? {
            return Ok(Delivery::TryLater { after: None, reason: "not_linked".to_owned() });
        }
        let tries = store::count_try(app, tx, outgoing, attachment.as_ref()).await?;
        let recipient = Recipient::of(&outgoing.recipient);
        let provider_ref = format!("sandbox-{}", outgoing.message_id);
        let (delivery, arrives) = recipient.answer(tries, &provider_ref);
        if arrives {
            store::count_arrival(tx, outgoing.message_id).await?;
            promise_receipts(app, tx, outgoing, recipient, &provider_ref).await?;
        }
        Ok(delivery)
    })
    .await;
    sent.unwrap_or_else(|error| {
        tracing::warn!(%error, message.id = %outgoing.message_id, "the simulated provider failed");
        Delivery::TryLater { after: None, reason: "provider_unavailable".to_owned() }
    })
}

/// Reads a file as a provider does, and tells what a phone then shows of it.
async fn read_attachment(app: &App, attachment: &Attachment) -> Result<Shown> {
    let file = &attachment.file;
    let mut content = file::read::open(app, file, None).await?;
    let (mut digest, mut size) = (Sha256::new(), 0);
    while let Some(chunk) = content.next().await {
        let chunk = chunk.map_err(|error| Error::Internal(format!("a file broke off: {error}")))?;
        size += chunk.len();
        digest.update(&chunk);
    }
    Ok(Shown {
        filename: file.filename.clone(),
        content_type: file.content_type.clone(),
        kind: attachment.kind(),
        size,
        sha256: digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
    })
}

async fn promise_receipts(
    app: &App,
    tx: &DatabaseTransaction,
    outgoing: &Outgoing,
    recipient: Recipient,
    provider_ref: &str,
) -> Result<()> {
    let pause = Duration::from_millis(app.config.sandbox_receipt_ms);
    if pause.is_zero() {
        return Ok(());
    }
    for (pauses, event) in recipient.receipts() {
        let receipt = Receipt {
            account_id: outgoing.account_id,
            message_id: Some(outgoing.message_id),
            provider_ref: Some(provider_ref.to_owned()),
            event,
        };
        let wait = pause.saturating_mul(pauses);
        queue::enqueue_after(app, tx, &Work::MessageStatus { receipt, heard_at: None }, wait).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_six_digits_decide() {
        for (jid, recipient) in [
            ("15550000404@s.whatsapp.net", Recipient::NotOnNetwork),
            ("1555000404@s.whatsapp.net", Recipient::NotOnNetwork),
            ("15550004041@s.whatsapp.net", Recipient::Usual),
            ("15550001404@s.whatsapp.net", Recipient::Usual),
            ("120363000505@g.us", Recipient::MessageLost),
            ("505@g.us", Recipient::Usual),
        ] {
            assert_eq!(Recipient::of(&Jid::parse(jid).expect("an id")), recipient, "{jid}");
        }
    }
}
