//! What proves that something that comes to a channel's own address is its provider's.

use entity::{channel::Model, id::ChannelId};
use secrecy::SecretString;

use crate::{
    app::App,
    channel::{
        sealed,
        store::{self, settings},
    },
    error::Result,
};

/// A channel with what its provider proves itself with.
pub(crate) struct Proof {
    /// The channel.
    pub(crate) channel: Model,
    /// With which a provider asks whether the address is ours, where the settings name it.
    pub(crate) verify_token: Option<SecretString>,
    /// Which signs what comes; absent where the channel has no settings yet.
    pub(crate) webhook_secret: Option<SecretString>,
}

/// The channel of this id, whoever's it is: who asks has to prove itself.
pub(crate) async fn proof_of(app: &App, id: ChannelId) -> Result<Option<Proof>> {
    let db = app.db.reader();
    let Some(channel) = store::by_id_alone(db, id).await? else { return Ok(None) };
    let Some(row) = settings::find(db, channel.workspace_id, channel.account_id).await? else {
        return Ok(Some(Proof { channel, verify_token: None, webhook_secret: None }));
    };
    let config = sealed::open(app, channel.id, &row)?;
    let verify_token = config.text("verifyToken").map(SecretString::from);
    let webhook_secret = Some(sealed::open_webhook_secret(app, channel.id, &row)?);
    Ok(Some(Proof { channel, verify_token, webhook_secret }))
}
