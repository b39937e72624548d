//! Messages of the account that are none of ours: its owner wrote them on a phone, or another program sent them. They
//! are stored once, as sent, for nothing, and are to their chat what somebody's own message is: it has been read, and
//! its bot is silent.
//!
//! Providers tell of our own messages too, often before they answer whoever sent them. So what is told is stored only
//! once no message of the account is being handed over that it could be ([`status::recognise`]); the provider's id,
//! unique for the account, keeps the two apart from then on.

use entity::{
    id::{AttemptId, FileId, MessageId},
    message::{Direction, Status},
    timestamp::Timestamp,
};
use sea_orm::DatabaseTransaction;

use crate::{
    app::App,
    channel as channels, db,
    error::{Error, Result},
    file,
    message::{
        Jid, Text,
        receive::{Received, Sender, store},
        status::{self, GoneOut, ReceiptEvent},
    },
    webhook::tell::{self, Written},
};

/// A message of the account.
#[derive(Clone, Debug)]
pub(crate) struct Own<'a> {
    /// The session that told of it.
    pub(crate) session: AttemptId,
    /// What is told of it.
    pub(crate) gone: GoneOut<'a>,
    /// The conversation on the network: whom it is for, or the group.
    pub(crate) to: &'a Jid,
    /// What is written; absent only where there is a file.
    pub(crate) text: Option<Text>,
    /// The file that went with it, kept provisionally in the account's workspace.
    pub(crate) file: Option<FileId>,
    /// The ids under which the provider may know the message that it answers; none where it answers nothing.
    pub(crate) answers: &'a [String],
    /// When it was written, where the provider tells it, as it came.
    pub(crate) told_at: Option<Timestamp>,
    /// What its provider says has become of it since.
    pub(crate) since: Option<ReceiptEvent>,
}

/// Stores a message of the account; one that is known, or one of ours, changes nothing and is `None`.
///
/// # Errors
/// `channel_not_connected` if no connected account has this session, or it is switched off; `file_not_found` if its
/// workspace has no such file; `busy` while a message of ours is being handed over that it could be.
pub(crate) async fn receive(app: &App, own: &Own<'_>) -> Result<Option<Received>> {
    let receiving = async || db::write(&app.db, "message.own", async |tx| store_own(app, tx, own).await).await;
    db::retried(receiving).await
}

/// [`receive`] within a transaction.
pub(crate) async fn store_own(app: &App, tx: &DatabaseTransaction, own: &Own<'_>) -> Result<Option<Received>> {
    let channel = channels::open_by_session(tx, own.session).await?.ok_or(Error::ChannelNotConnected)?;
    if status::recognise(app, tx, &own.gone).await? != status::Received::Stray {
        return Ok(None);
    }
    if let Some(id) = own.file
        && file::attachable(tx, vec![id]).await?.get(&id).is_none_or(|file| file.workspace_id != channel.workspace_id)
    {
        return Err(Error::FileNotFound(id.to_string()));
    }
    let (chat, is_new_chat) = store::open_chat(app, tx, &channel, own.to).await?;
    let message_id = MessageId(app.clock.uuid());
    let new = store::NewMessage {
        direction: Direction::Sent,
        status: Status::Sent,
        text: own.text.as_ref(),
        file: own.file,
        sender: Sender::default(),
        reply_to: store::answered(tx, &chat, own.answers).await?,
        provider_ref: own.gone.provider_ref,
        told_at: own.told_at,
    };
    if !store::insert(app, tx, message_id, (&channel, &chat), new).await? {
        // The answer to a message of ours came at the same time; the repeated operation finds it.
        return Err(Error::Contention);
    }
    store::set_answered(app, tx, &chat, message_id).await?;
    let written = Written {
        workspaces: vec![chat.workspace_id],
        direction: Direction::Sent,
        new_chats: is_new_chat.then_some(chat.id).into_iter().collect(),
        messages: vec![message_id],
    };
    tell::written(app, tx, &written).await?;
    let stored = store::by_provider_ref(tx, &channel, own.gone.provider_ref).await?;
    let stored = stored.ok_or_else(|| Error::Internal("a message was not stored".to_owned()))?;
    status::begin(app, tx, &stored, own.since.as_ref()).await?;
    Ok(Some(Received { message_id, chat_id: chat.id, is_new: true }))
}
