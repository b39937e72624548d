//! What is promised in numbers, each beside a floor that is measured in the same run. `scripts/bench` starts what this
//! needs and writes `results.md`; `README.md` says how to read it.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use quartermaster::{
    app::App,
    caller::Origin,
    clock::Clock,
    config::Config,
    http::Server,
    partner::admin::{self, CreatePartner},
};
use secrecy::ExposeSecret;

mod floors;
mod load;
mod provisioning;
mod report;
mod start;

/// A database to measure on.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) database_url: Option<String>,
}

impl Place {
    fn config(&self) -> Config {
        let listen = free_address();
        let mut config = Config::standalone(self.folder.path().to_owned(), listen).expect("a configuration");
        if let Some(url) = &self.database_url {
            config.database_url = url.clone().into();
            config.master_key = Some(quartermaster::secret::Vault::generate(&Clock::system()));
        }
        config
    }

    /// The product on this database, served, with a partner; its address and the partner's secret.
    pub(crate) async fn product(&self) -> (Arc<App>, String, String) {
        let app = App::start(self.config(), Clock::system()).await.expect("an application");
        app.db.migrate().await.expect("the schema");
        let server = Server::bind(Arc::clone(&app)).await.expect("a port");
        let base = format!("http://{}", server.address());
        tokio::spawn(server.run(app.stop.subscribe()));
        let partner = CreatePartner {
            id: entity::id::PartnerId::parse("acme").expect("an id"),
            name: "Acme".to_owned(),
            plan: "starter".to_owned(),
            is_sandbox: true,
        };
        let made = admin::create(&app, &Origin::operator(), &partner).await.expect("a partner");
        (app, base, made.secret.expose_secret().to_owned())
    }
}

fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address")
}

fn places() -> Vec<Place> {
    let folder = || tempfile::tempdir().expect("a folder");
    let mut places = vec![Place { name: "SQLite", folder: folder(), database_url: None }];
    if let Ok(url) = std::env::var("QMTEST_POSTGRES_URL") {
        places.push(Place { name: "PostgreSQL", folder: folder(), database_url: Some(url) });
    }
    places
}

#[tokio::main]
async fn main() {
    let mut report = report::Report::new();
    start::measure(&mut report);
    for place in places() {
        provisioning::measure(&place, &mut report).await;
    }
    let out = std::env::var("QMBENCH_OUT").map_or_else(|_| PathBuf::from("benches/results.md"), PathBuf::from);
    report.write(&out);
}
