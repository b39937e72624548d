//! What every connector has to do, whatever it speaks to: the same cases for each, against a fake of its provider that
//! is written from the contract. A connector joins by an implementation of [`Provider`] and a line at the end.

use entity::{
    channel::{self, ConnectorKind, Network},
    id::{AttemptId, MessageId, PartnerId},
};
use quartermaster::{
    caller::Origin,
    connector::registry::{self, ApiKey, BaseUrl, SetCredentials, SetDefault},
};
use sea_orm::{EntityTrait, QueryOrder};
use serde_json::Value;

use crate::support::{PartnerClient, TestApp, TokenClient, page::Page, provider::Trouble};

mod answers;
mod callbacks;
mod evolution;
mod health;
mod linking;
mod own;
mod sandbox;
mod sending;
mod unipile;
mod unipile_limits;
mod waha;
mod webchat;

/// The number that is linked.
pub(crate) const OURS: &str = "+15550001111";
/// Somebody else's.
pub(crate) const THEIRS: &str = "+15557770000";

/// A provider that is played.
pub(crate) trait Provider: Sized {
    /// How many codes it shows for one attempt before a test looks at what follows them; a single one comes at once.
    const CODES: i32 = 3;

    /// Whether it keeps an account that its network has let go, until it is disconnected or linked again here.
    const KEEPS_ACCOUNTS: bool = false;

    /// Starts it and makes it the choice of the partner.
    async fn set_up(app: &TestApp, partner: &PartnerId) -> Self;

    /// Links an account, from the link to the channel; one that no phone links is made in its own way.
    async fn connect(scene: &Scene<Self>) -> channel::Model {
        let page = scene.page().await;
        page.start().await;
        let code = scene.provider.show_code(&scene.app, &page).await;
        scene.provider.link(&scene.app, &code).await;
        scene.app.run_jobs().await;
        assert_eq!(page.now_or_used().await, "connected");
        let account = scene.account().await;
        assert_eq!((&account["phone_number_e164"], &account["connected"]), (&OURS.into(), &true.into()));
        scene.channel().await
    }

    /// Sends a text to whoever writes in [`Provider::write`].
    async fn answer(scene: &Scene<Self>, text: &str) -> MessageId {
        scene.send(THEIRS, text).await
    }

    /// The session that was started last shows its next code, which is returned.
    async fn show_code(&self, app: &TestApp, page: &Page) -> String;

    /// The codes of the session that was started last run out.
    async fn run_out(&self, app: &TestApp);

    /// The phone scans.
    async fn link(&self, app: &TestApp, code: &str);

    /// What the next message meets; the number that it is to be sent to.
    fn trouble(&self, trouble: Trouble) -> String;

    /// How many messages with this text it has taken.
    async fn taken(&self, app: &TestApp, text: &str) -> usize;

    /// A message that it has taken is delivered, and then read.
    async fn read(&self, app: &TestApp, text: &str);

    /// Somebody writes.
    async fn write(&self, app: &TestApp, from: &str, text: &str);

    /// The phone removes the linked device.
    async fn log_out(&self, app: &TestApp);

    /// Whether nothing is left of a session.
    async fn is_gone(&self, app: &TestApp, session: AttemptId) -> bool;
}

/// A workspace whose partner is served by a provider.
pub(crate) struct Scene<P> {
    pub(crate) app: TestApp,
    pub(crate) acme: PartnerClient,
    pub(crate) workspace: String,
    pub(crate) user: i64,
    pub(crate) provider: P,
}

impl<P: Provider> Scene<P> {
    pub(crate) async fn new() -> Self {
        Self::at(TestApp::start().await).await
    }

    /// The same on an application of the test's own.
    pub(crate) async fn at(app: TestApp) -> Self {
        let acme = app.partner_without_sandbox("acme").await;
        let workspace = acme.workspace("Bakery", 3).await;
        let user = acme.users(&workspace, 1).await[0];
        let provider = P::set_up(&app, &PartnerId::parse("acme").expect("an id")).await;
        Self { app, acme, workspace, user, provider }
    }

    /// With a linked account.
    pub(crate) async fn linked() -> Self {
        let scene = Self::new().await;
        scene.link().await;
        scene
    }

    pub(crate) async fn page(&self) -> Page {
        self.acme.page(&self.workspace, self.user).await
    }

    /// Links the account, from link to channel.
    pub(crate) async fn link(&self) -> channel::Model {
        P::connect(self).await
    }

    pub(crate) async fn channel(&self) -> channel::Model {
        let newest = channel::Entity::find().order_by_desc(channel::Column::AccountId);
        newest.one(self.app.app.db.reader()).await.expect("a look").expect("a channel")
    }

    pub(crate) async fn token(&self) -> TokenClient {
        let token = self.acme.get(&format!("/workspaces/{}/api-token", self.workspace)).await.expect(200);
        self.app.token(token["token"].as_str().expect("a token"))
    }

    /// Sends a text and has it handed over.
    pub(crate) async fn send(&self, to: &str, text: &str) -> MessageId {
        let sent = self.token().await.send(to, text).await.expect(200);
        self.app.run_jobs().await;
        uid(&sent)
    }

    /// The account as the partner sees it.
    pub(crate) async fn account(&self) -> Value {
        self.acme.overview(&self.workspace).await["whatsapp_accounts"][0].clone()
    }

    /// Credits that are used.
    pub(crate) async fn used(&self) -> i64 {
        self.token().await.credits().await.0
    }
}

impl Page {
    /// What the page shows, or that its link has been used.
    async fn now_or_used(&self) -> String {
        self.now().await.state().to_owned()
    }
}

pub(crate) fn uid(sent: &Value) -> MessageId {
    sent["data"]["message_uid"].as_str().expect("a uid").parse().expect("a uuid")
}

/// Makes a connector the partner's choice.
pub(crate) async fn choose(app: &TestApp, partner: &PartnerId, connector: ConnectorKind, url: &str, key: &str) {
    let credentials = SetCredentials {
        partner_id: Some(partner.clone()),
        connector,
        base_url: BaseUrl::parse(url).expect("an address"),
        api_key: ApiKey::parse(&key.into()).expect("a key"),
        timeout: None,
    };
    registry::set_credentials(&app.app, &Origin::operator(), &credentials).await.expect("credentials");
    choose_again(app, partner, connector).await;
}

/// Makes a connector that has credentials the partner's choice.
pub(crate) async fn choose_again(app: &TestApp, partner: &PartnerId, connector: ConnectorKind) {
    let choice =
        SetDefault { partner_id: Some(partner.clone()), network: Network::Whatsapp, connector: Some(connector) };
    registry::set_default(&app.app, &Origin::operator(), &choice).await.expect("a choice");
}

/// The cases that every connector passes.
macro_rules! every_connector {
    ($name:ident, $provider:ty) => {
        mod $name {
            use crate::conformance::{linking, sending};

            #[tokio::test]
            async fn from_link_to_answer() {
                sending::from_link_to_answer::<$provider>().await;
            }

            #[tokio::test]
            async fn codes_are_replaced_and_run_out() {
                linking::codes_are_replaced_and_run_out::<$provider>().await;
            }

            #[tokio::test]
            async fn an_abandoned_attempt_leaves_nothing() {
                linking::an_abandoned_attempt_leaves_nothing::<$provider>().await;
            }

            #[tokio::test]
            async fn a_phone_that_logs_out_is_told() {
                linking::a_phone_that_logs_out_is_told::<$provider>().await;
            }

            #[tokio::test]
            async fn a_limit_is_waited_for() {
                sending::a_limit_is_waited_for::<$provider>().await;
            }

            #[tokio::test]
            async fn what_was_not_taken_is_sent_again() {
                sending::what_was_not_taken_is_sent_again::<$provider>().await;
            }

            #[tokio::test]
            async fn what_may_have_been_taken_is_not() {
                sending::what_may_have_been_taken_is_not::<$provider>().await;
            }

            #[tokio::test]
            async fn what_is_refused_gives_its_credit_back() {
                sending::what_is_refused_gives_its_credit_back::<$provider>().await;
            }
        }
    };
}

/// The cases of connectors that speak to a provider over the network.
macro_rules! every_remote_connector {
    ($name:ident, $provider:ty) => {
        mod $name {
            use crate::conformance::{callbacks, linking, own, sending};

            #[tokio::test]
            async fn wrong_credentials_are_told_and_cost_no_account() {
                linking::wrong_credentials_are_told_and_cost_no_account::<$provider>().await;
            }

            #[tokio::test]
            async fn channels_are_linked_over_the_channels_api() {
                linking::channels_are_linked_over_the_channels_api::<$provider>().await;
            }

            #[tokio::test]
            async fn a_provider_in_trouble_fails_no_attempt_at_once() {
                linking::a_provider_in_trouble_fails_no_attempt_at_once::<$provider>().await;
            }

            #[tokio::test]
            async fn states_that_nobody_knows_change_nothing() {
                linking::states_that_nobody_knows_change_nothing::<$provider>().await;
            }

            #[tokio::test]
            async fn a_session_that_is_down_is_repaired_or_given_up() {
                linking::a_session_that_is_down_is_repaired_or_given_up::<$provider>().await;
            }

            #[tokio::test]
            async fn a_session_that_was_given_up_may_come_back() {
                linking::a_session_that_was_given_up_may_come_back::<$provider>().await;
            }

            #[tokio::test]
            async fn a_lost_word_about_a_session_is_made_good() {
                linking::a_lost_word_about_a_session_is_made_good::<$provider>().await;
            }

            #[tokio::test]
            async fn a_message_whose_answer_was_lost_is_recognised() {
                sending::a_message_whose_answer_was_lost_is_recognised::<$provider>().await;
            }

            #[tokio::test]
            async fn a_wrong_key_fails_a_message_once() {
                sending::a_wrong_key_fails_a_message_once::<$provider>().await;
            }

            #[tokio::test]
            async fn callbacks_of_others_are_refused() {
                callbacks::callbacks_of_others_are_refused::<$provider>().await;
            }

            #[tokio::test]
            async fn callbacks_may_come_again_and_in_any_order() {
                callbacks::callbacks_may_come_again_and_in_any_order::<$provider>().await;
            }

            #[tokio::test]
            async fn what_cannot_be_read_is_refused_and_what_is_unknown_is_not() {
                callbacks::what_cannot_be_read_is_refused_and_what_is_unknown_is_not::<$provider>().await;
            }

            #[tokio::test]
            async fn files_come_and_go() {
                callbacks::files_come_and_go::<$provider>().await;
            }

            #[tokio::test]
            async fn reactions_come_and_go() {
                callbacks::reactions_come_and_go::<$provider>().await;
            }

            #[tokio::test]
            async fn what_is_written_on_the_phone_is_stored_once() {
                own::what_is_written_on_the_phone_is_stored_once::<$provider>().await;
            }

            #[tokio::test]
            async fn what_is_ours_is_not_stored_again() {
                own::what_is_ours_is_not_stored_again::<$provider>().await;
            }
        }
    };
}

/// The cases of connectors whose provider keeps a session of each account.
macro_rules! every_bridge {
    ($name:ident, $provider:ty) => {
        mod $name {
            use crate::conformance::health;

            #[tokio::test]
            async fn health_follows_the_session_and_is_told() {
                health::health_follows_the_session_and_is_told::<$provider>().await;
            }

            #[tokio::test]
            async fn a_test_asks_the_provider_part_by_part() {
                health::a_test_asks_the_provider_part_by_part::<$provider>().await;
            }

            #[tokio::test]
            async fn a_channel_shows_where_its_provider_calls_back() {
                health::a_channel_shows_where_its_provider_calls_back::<$provider>().await;
            }

            #[tokio::test]
            async fn a_connector_without_credentials_is_refused() {
                health::a_connector_without_credentials_is_refused::<$provider>().await;
            }
        }
    };
}

/// A provider over the network that is played.
pub(crate) trait Remote: Provider {
    /// Whether it takes reactions of the account's own.
    const REACTS: bool = true;

    /// The session that was started last shows its next code, which is returned.
    async fn next_code(&self, app: &TestApp) -> String;

    /// Accepts no key any more, or again.
    fn refuse_key(&self, refuses: bool);

    /// Where it calls back for all accounts of its key, if it does.
    fn address_of_key(&self) -> Option<String> {
        None
    }

    /// What the next question meets that is not about a message.
    fn trouble_asking(&self, trouble: Trouble);

    /// The session that was started last changes to a state, without a word if it is to be silent.
    async fn change(&self, state: RemoteState, is_silent: bool);

    /// How often the session that was started last has been restarted.
    fn restarts(&self) -> u32;

    /// Tells that a message of ours with this text has gone out.
    async fn tell_gone_out(&self, text: &str);

    /// A callback about the session that was started last; `number` makes its id, and when it happened.
    fn callback(&self, said: &Said, number: u32) -> Posted;

    /// Posts it, genuine or not.
    async fn post(&self, posted: &Posted, signature: Signature) -> u16;

    /// Keeps a file that somebody sends.
    fn keep(&self, name: &str, content_type: &str, content: &[u8]) -> Option<String>;

    /// The file that went with the message that it took last.
    fn file_sent(&self) -> Option<FileSent>;

    /// The account's own reactions that it has taken, oldest first.
    fn reactions(&self) -> Vec<String>;

    /// Our form of the id of the message that it has taken with this text.
    fn reference(&self, text: &str) -> String;
}

/// A file that a provider was sent.
pub(crate) enum FileSent {
    /// It has to fetch it from here.
    At(String),
    /// It came with the message.
    Here(Vec<u8>),
}

/// States of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RemoteState {
    Working,
    Starting,
    Down,
    AsksForCode,
    Unheard,
}

/// What a callback says.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    /// Somebody wrote, with the id of the message.
    Wrote {
        id: &'static str,
        text: &'static str,
        file: Option<(String, &'static str)>,
    },
    /// The account's owner wrote on the phone, with the id of the message.
    Typed {
        id: &'static str,
        text: &'static str,
        file: Option<(String, &'static str)>,
    },
    /// A message of ours was delivered or read.
    Delivered {
        reference: String,
    },
    Read {
        reference: String,
    },
    /// Somebody reacted to a message of ours; nothing takes it back.
    Reacted {
        reference: String,
        emoji: &'static str,
    },
    /// The account's owner reacted on the phone.
    ReactedOn {
        reference: String,
        emoji: &'static str,
    },
    /// Something that we have never heard of.
    Unheard,
}

/// A callback to be posted.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    pub(crate) session: String,
    pub(crate) body: String,
}

/// How a callback is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signature {
    Genuine,
    Forged,
    Missing,
}

/// The cases that a connector passes whose conversations are ours. All others are about a phone that links and removes,
/// a provider that limits, refuses, is away or loses its answer, its key, its callbacks or its sessions: there is none of
/// these here. What comes again, out of order, or from somebody else is asked in [`webchat`] and in the tests of the
/// widget, as a visitor's browser brings it.
macro_rules! every_connector_of_ours {
    ($name:ident, $provider:ty) => {
        mod $name {
            use crate::conformance::sending;

            #[tokio::test]
            async fn from_link_to_answer() {
                sending::from_link_to_answer::<$provider>().await;
            }
        }
    };
}

every_connector_of_ours!(webchat_connector, crate::conformance::webchat::WebChats);
every_connector!(sandbox_connector, crate::conformance::sandbox::Sandbox);
every_connector!(waha_connector, crate::support::waha::Waha);
every_remote_connector!(waha_over_the_network, crate::support::waha::Waha);
every_bridge!(waha_bridge, crate::support::waha::Waha);
every_connector!(evolution_connector, crate::support::evolution::Evolution);
every_remote_connector!(evolution_over_the_network, crate::support::evolution::Evolution);
every_bridge!(evolution_bridge, crate::support::evolution::Evolution);
every_connector!(unipile_connector, crate::support::unipile::Unipile);
every_remote_connector!(unipile_over_the_network, crate::support::unipile::Unipile);
every_bridge!(unipile_bridge, crate::support::unipile::Unipile);
