//! Chats and messages, written straight into the database, as if they had been sent and received.

use std::sync::atomic::{AtomicU32, Ordering};

use entity::{
    audit_entry, chat, chat_label,
    id::{AccountId, ChatId, MessageId, PartnerId, UserId, WorkspaceId, WorkspaceSlug},
    message::{self, Direction, Status},
    message_status,
    timestamp::Timestamp,
    workspace,
};
use quartermaster::{
    caller::Origin,
    clock::Clock,
    db,
    token::{
        Scopes,
        admin::{self, CreateToken},
    },
};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, Set, Unchanged};
use secrecy::ExposeSecret;

use crate::support::{PartnerClient, START, TestApp, TokenClient};

/// A workspace with a connected account and what is said through it.
pub(crate) struct Conversations<'a> {
    app: &'a TestApp,
    pub(crate) partner: PartnerClient,
    pub(crate) slug: String,
    pub(crate) workspace_id: WorkspaceId,
    pub(crate) user_id: UserId,
    pub(crate) account_id: AccountId,
    pub(crate) token: TokenClient,
    next_phone: AtomicU32,
}

impl<'a> Conversations<'a> {
    /// The workspace `Bakery` of a new partner, with an account of this number.
    pub(crate) async fn start(app: &'a TestApp, partner: &str, phone: &str) -> Self {
        let id = PartnerId::parse(partner).expect("an id");
        let partner = app.partner(partner).await;
        let slug = partner.workspace("Bakery", 3).await;
        let user = partner.users(&slug, 1).await[0];
        let account = partner.connect(&slug, user, phone).await;
        let token = partner.get(&format!("/workspaces/{slug}/api-token")).await.expect(200);
        let workspace = workspace::Entity::find()
            .filter(workspace::Column::PartnerId.eq(id))
            .filter(workspace::Column::Slug.eq(WorkspaceSlug::parse(&slug).expect("a slug")))
            .one(app.app.db.reader())
            .await
            .expect("an answer")
            .expect("the workspace");
        Self {
            app,
            partner,
            slug,
            workspace_id: workspace.id,
            user_id: UserId(user),
            account_id: AccountId(account),
            token: app.token(token["token"].as_str().expect("a token")),
            next_phone: AtomicU32::new(0),
        }
    }

    /// A token that acts as this user.
    pub(crate) async fn token_of(&self, user_id: UserId, scopes: &str) -> TokenClient {
        let command = CreateToken {
            partner_id: PartnerId::parse(&self.partner.id).expect("an id"),
            workspace: self.slug.clone(),
            name: "a member".to_owned(),
            scopes: Scopes::parse(scopes).expect("scopes"),
            user_id: Some(user_id),
        };
        let made = admin::create(&self.app.app, &Origin::operator(), &command).await.expect("a token");
        self.app.token(made.token.expose_secret())
    }

    /// What stands in the audit of the workspace, oldest first.
    pub(crate) async fn audit(&self) -> Vec<(String, String)> {
        let rows = audit_entry::Entity::find()
            .filter(audit_entry::Column::WorkspaceId.eq(self.workspace_id))
            .order_by_asc(audit_entry::Column::Id)
            .all(self.app.app.db.reader())
            .await
            .expect("entries");
        rows.into_iter().map(|row| (row.action, row.actor)).collect()
    }

    /// How often something stands in the audit of the workspace.
    pub(crate) async fn audited(&self, action: &str) -> usize {
        self.audit().await.iter().filter(|(done, _)| done == action).count()
    }

    /// A direct chat of this name, made at [`START`] with a number of its own, but for what `change` says.
    pub(crate) async fn chat(&self, name: &str, change: impl FnOnce(chat::ActiveModel) -> chat::ActiveModel) -> ChatId {
        let digits = format!("4930{:08}", self.next_phone.fetch_add(1, Ordering::SeqCst));
        let row = change(chat::ActiveModel {
            workspace_id: Set(self.workspace_id),
            account_id: Set(self.account_id),
            jid: Set(format!("{digits}@s.whatsapp.net")),
            phone: Set(Some(format!("+{digits}"))),
            name: Set(name.to_owned()),
            name_folded: Set(name.to_lowercase()),
            name_given: Set(true),
            is_group: Set(false),
            closed: Set(false),
            read: Set(false),
            created_at: Set(START),
            updated_at: Set(START),
            ..Default::default()
        });
        let inserted = db::write(&self.app.app.db, "test", async |tx| Ok(row.insert(tx).await?)).await;
        inserted.expect("a chat").id
    }

    /// A group of this name.
    pub(crate) async fn group(&self, name: &str) -> ChatId {
        self.group_with(name, |row| row).await
    }

    /// A group of this name, but for what `change` says.
    pub(crate) async fn group_with(
        &self,
        name: &str,
        change: impl FnOnce(chat::ActiveModel) -> chat::ActiveModel,
    ) -> ChatId {
        let number = self.next_phone.fetch_add(1, Ordering::SeqCst);
        let of_group = |row| {
            change(chat::ActiveModel {
                jid: Set(format!("12036300000000{number:04}@g.us")),
                phone: Set(None),
                is_group: Set(true),
                ..row
            })
        };
        self.chat(name, of_group).await
    }

    /// Puts a label on a chat.
    pub(crate) async fn label(&self, chat_id: ChatId, label: &str) {
        let row = chat_label::ActiveModel {
            chat_id: Set(chat_id),
            label: Set(label.to_owned()),
            workspace_id: Set(self.workspace_id),
        };
        db::write(&self.app.app.db, "test", async |tx| Ok(row.insert(tx).await?)).await.expect("a label");
    }

    /// A message that was received at this instant, but for what `change` says; the newest of its chat from now on.
    pub(crate) async fn message(
        &self,
        chat_id: ChatId,
        at: Timestamp,
        change: impl FnOnce(message::ActiveModel) -> message::ActiveModel,
    ) -> MessageId {
        let id = MessageId(Clock::manual(at).uuid());
        let row = change(message::ActiveModel {
            id: Set(id),
            workspace_id: Set(self.workspace_id),
            account_id: Set(self.account_id),
            chat_id: Set(chat_id),
            direction: Set(Direction::Received),
            status: Set(Status::Received),
            kind: Set(None),
            is_private: Set(None),
            text: Set(Some("hello".to_owned())),
            origin: Set("synced from WhatsApp".to_owned()),
            user_id: Set(None),
            sender_name: Set(None),
            sender_phone: Set(None),
            reply_to: Set(None),
            file_id: Set(None),
            provider_ref: Set(Some(id.to_string())),
            failure: Set(None),
            tries: Set(0),
            told_at: Set(None),
            sent_at: Set(None),
            created_at: Set(at),
            updated_at: Set(at),
        });
        let chat = chat::ActiveModel {
            id: Unchanged(chat_id),
            last_message_id: Set(Some(id)),
            last_message_at: Set(Some(at)),
            active_hour: Set(at.0 / 3_600_000_000),
            ..Default::default()
        };
        let written = db::write(&self.app.app.db, "test", async |tx| {
            row.insert(tx).await?;
            chat.update(tx).await?;
            Ok(())
        });
        written.await.expect("a message");
        id
    }

    /// A message that was sent at this instant.
    pub(crate) async fn sent(&self, chat_id: ChatId, at: Timestamp, status: Status) -> MessageId {
        let user_id = self.user_id;
        let from_us = |row| message::ActiveModel {
            direction: Set(Direction::Sent),
            status: Set(status),
            origin: Set("Public API".to_owned()),
            user_id: Set(Some(user_id)),
            ..row
        };
        self.message(chat_id, at, from_us).await
    }

    /// A step of a message.
    pub(crate) async fn status(&self, message_id: MessageId, status: Status, at: Timestamp, reason: Option<&str>) {
        let row = message_status::ActiveModel {
            message_id: Set(message_id),
            status: Set(status),
            reason: Set(reason.map(str::to_owned)),
            at: Set(at),
            ..Default::default()
        };
        db::write(&self.app.app.db, "test", async |tx| Ok(row.insert(tx).await?)).await.expect("a step");
    }
}

/// A value as it stands in a query, everything but letters and digits escaped.
pub(crate) fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}
