//! What tests stand on: an application on a database of its own, reached over HTTP.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use entity::{id::PartnerId, timestamp::Timestamp};
use quartermaster::{
    app::App,
    caller::Origin,
    clock::Clock,
    config::Config,
    http::Server,
    job,
    partner::admin::{self, CreatePartner},
    signal::Signal,
};
use secrecy::ExposeSecret;

pub(crate) mod browser;
pub(crate) mod bucket;
pub(crate) mod channels;
pub(crate) mod client;
pub(crate) mod conversation;
pub(crate) mod database;
pub(crate) mod evolution;
pub(crate) mod explaining;
pub(crate) mod mail;
pub(crate) mod messages;
pub(crate) mod meter;
pub(crate) mod moto;
pub(crate) mod page;
pub(crate) mod provider;
pub(crate) mod proxy;
pub(crate) mod receiver;
pub(crate) mod redis;
pub(crate) mod sender;
pub(crate) mod tools;
pub(crate) mod unipile;
pub(crate) mod upload;
pub(crate) mod visitor;
pub(crate) mod waha;

pub(crate) use client::{Answer, PartnerClient, TokenClient};

/// Where the hand-set clock of every test begins: 2026-09-10T08:00:00Z.
pub(crate) const START: Timestamp = Timestamp(1_789_027_200_000_000);

/// One application, served on a port of its own.
pub(crate) struct TestApp {
    pub(crate) app: Arc<App>,
    pub(crate) base: String,
    pub(crate) clock: Clock,
    pub(crate) http: reqwest::Client,
    place: database::Place,
}

/// How an application of a test differs from the usual one.
pub(crate) struct Setup {
    clock: Clock,
    sandbox: bool,
    is_working: bool,
    change: fn(&mut Config),
}

impl Default for Setup {
    fn default() -> Self {
        Self { clock: Clock::manual(START), sandbox: false, is_working: false, change: |_| {} }
    }
}

impl Setup {
    /// With the system's clock, for tests with other processes on the same state.
    pub(crate) fn real_time() -> Self {
        Self { clock: Clock::system(), ..Self::default() }
    }

    /// With the system's clock and a worker of its own, for tests with other programs.
    pub(crate) fn live() -> Self {
        Self { is_working: true, ..Self::real_time() }
    }

    /// With simulated phones for everybody.
    pub(crate) fn sandbox(self) -> Self {
        Self { sandbox: true, ..self }
    }

    /// With changes to the configuration.
    pub(crate) fn configured(self, change: fn(&mut Config)) -> Self {
        Self { change, ..self }
    }

    pub(crate) async fn start(self) -> TestApp {
        let place = database::Place::new().await;
        self.start_at(place).await
    }

    async fn start_at(self, place: database::Place) -> TestApp {
        let (app, server) = self.bind(&place).await;
        let base = app.config.public_url.clone();
        tokio::spawn(server.run(app.stop.subscribe()));
        if self.is_working {
            tokio::spawn(job::work(Arc::clone(&app), app.stop.subscribe()));
        }
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(30))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        TestApp { app, base, clock: self.clock, http, place }
    }

    /// Addresses begin with the port, so it is chosen first; where somebody else was faster, another is.
    async fn bind(&self, place: &database::Place) -> (Arc<App>, Server) {
        for _ in 0..10 {
            let mut config = place.config();
            config.listen = free_address();
            config.public_url = format!("http://{}", config.listen);
            config.sandbox = self.sandbox;
            (self.change)(&mut config);
            let app = App::start(config, self.clock.clone()).await.expect("an application");
            if let Ok(server) = Server::bind(Arc::clone(&app)).await {
                return (app, server);
            }
        }
        panic!("no port is free");
    }
}

impl TestApp {
    /// The usual application: clock set by hand, no worker.
    pub(crate) async fn start() -> Self {
        Setup::default().start().await
    }

    /// A second process on the same state.
    pub(crate) async fn replica(&self) -> Self {
        self.replica_configured(|_| {}).await
    }

    /// A second process on the same state, with changes to the configuration.
    pub(crate) async fn replica_configured(&self, change: fn(&mut Config)) -> Self {
        Setup { clock: self.clock.clone(), change, ..Setup::default() }.start_at(self.place.clone()).await
    }

    /// A second process on the same state, with a clock of its own.
    pub(crate) async fn replica_by(&self, clock: Clock) -> Self {
        Setup { clock, ..Setup::default() }.start_at(self.place.clone()).await
    }

    /// A second process on the same state, reached over other wires.
    pub(crate) async fn replica_at(&self, database_url: &str, redis_url: Option<&str>) -> Self {
        self.replica_at_configured(database_url, redis_url, |_| {}).await
    }

    /// Both.
    pub(crate) async fn replica_at_configured(
        &self,
        database_url: &str,
        redis_url: Option<&str>,
        change: fn(&mut Config),
    ) -> Self {
        let place = self.place.over(database_url, redis_url);
        Setup { clock: self.clock.clone(), change, ..Setup::default() }.start_at(place).await
    }

    /// A sandbox partner with this id.
    pub(crate) async fn partner(&self, id: &str) -> PartnerClient {
        self.partner_with(id, true).await
    }

    /// A partner without simulated phones.
    pub(crate) async fn partner_without_sandbox(&self, id: &str) -> PartnerClient {
        self.partner_with(id, false).await
    }

    async fn partner_with(&self, id: &str, is_sandbox: bool) -> PartnerClient {
        let command = CreatePartner {
            id: PartnerId::parse(id).expect("an id"),
            name: format!("Partner {id}"),
            plan: "starter".to_owned(),
            is_sandbox,
        };
        let made = admin::create(&self.app, &Origin::operator(), &command).await.expect("a partner");
        self.client_of(id, made.secret.expose_secret())
    }

    /// A client that signs with this secret.
    pub(crate) fn client_of(&self, id: &str, secret: &str) -> PartnerClient {
        PartnerClient::new(&self.base, self.http.clone(), id, secret, self.clock.clone())
    }

    /// A client with this API token.
    pub(crate) fn token(&self, token: &str) -> TokenClient {
        TokenClient::new(&self.base, self.http.clone(), token)
    }

    /// Waits until another process hears the signals of this one.
    pub(crate) async fn until_heard_by(&self, other: &Self) {
        let heard = async {
            loop {
                let mut signals = other.app.signals.subscribe();
                self.app.signals.publish(Signal::Work);
                if tokio::time::timeout(Duration::from_millis(100), signals.recv()).await.is_ok() {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), heard).await.expect("signals go through");
    }

    /// Does all that is due.
    pub(crate) async fn run_jobs(&self) {
        job::drain(&self.app).await.expect("jobs");
    }

    /// Moves the clock, then does all that is due.
    pub(crate) async fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        self.run_jobs().await;
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.app.stop.send_replace(true);
    }
}

/// An address with a port that was free a moment ago.
pub(crate) fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address")
}
