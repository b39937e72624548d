//! A customer's website with our widget in it: an origin of its own, and as strict a policy as a website can have that
//! shows it.

use std::net::SocketAddr;

use poem::{
    EndpointExt, Response, Route, Server, get, handler,
    http::header,
    listener::TcpAcceptor,
    web::{Data, Query},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{TestApp, browser::Browser, channels::Shop};

/// The frame of the chat.
const FRAME: &str = "return document.body.lastElementChild.shadowRoot.querySelector('iframe')";
/// The button of the widget.
pub(super) const BUTTON: &str = "document.body.lastElementChild.shadowRoot?.querySelector('button')";

/// The website; it is gone with the test's runtime.
pub(super) struct Website {
    pub(super) origin: String,
}

#[derive(Deserialize)]
struct Embedded {
    base: String,
    token: String,
    user: Option<String>,
    hash: Option<String>,
}

impl Website {
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let pages = Route::new().at("/", get(page)).data(origin.clone()).boxed();
        let acceptor = TcpAcceptor::from_tokio(listener).expect("a listener");
        tokio::spawn(Server::new_with_acceptor(acceptor).run(pages));
        Self { origin }
    }

    /// Address of the page with this widget.
    pub(super) fn with(&self, app: &TestApp, token: &str, more: &[(&str, &str)]) -> String {
        let query = [("base", app.base.as_str()), ("token", token)].into_iter().chain(more.iter().copied());
        reqwest::Url::parse_with_params(&self.origin, query).expect("an address").to_string()
    }
}

#[handler]
fn page(Query(embedded): Query<Embedded>, origin: Data<&String>) -> Response {
    let Embedded { base, token, user, hash } = embedded;
    let identity = match (user, hash) {
        (Some(user), Some(hash)) => format!(r#" data-user-id="{user}" data-user-hash="{hash}""#),
        _ => String::new(),
    };
    let policy = format!("default-src 'none'; script-src {base}; connect-src {base}; frame-src {base}");
    let text = format!(
        r##"<!doctype html>
        <html lang="en">
        <meta name="viewport" content="width=device-width">
        <title>Bakery at {origin}</title>
        <body>
        <h1>Bakery</h1>
        <p><a id="first" href="#bread">Bread</a></p>
        <script src="{base}/widget/widget.js" data-token="{token}"{identity} async></script>
        </body>
        </html>"##,
        origin = origin.0,
    );
    let answer = Response::builder().header(header::CONTENT_TYPE, "text/html; charset=utf-8");
    answer.header(header::CONTENT_SECURITY_POLICY, policy).body(text)
}

/// A workspace with a web chat on a website, and a browser that has not opened it yet.
pub(super) struct Visit<'a> {
    pub(super) app: &'a TestApp,
    pub(super) shop: Shop<'a>,
    pub(super) website: Website,
    pub(super) browser: Browser,
    pub(super) token: String,
}

impl<'a> Visit<'a> {
    /// With more settings of the channel.
    pub(super) async fn set(app: &'a TestApp, more: Value) -> Self {
        let shop = Shop::open(app).await;
        let website = Website::start().await;
        let mut config = more;
        config["allowedOrigins"] = json!([website.origin, "https://www.example.com"]);
        let chat = shop.web_chat(config).await;
        Self { app, shop, website, browser: Browser::start().await, token: chat.token }
    }

    /// Opens the website and waits for the widget's button.
    pub(super) async fn arrive(&self) {
        self.browser.open(&self.website.with(self.app, &self.token, &[])).await;
        self.browser.until(&format!("{BUTTON}?.getAttribute('aria-label')")).await;
    }

    /// Opens the chat with the mouse and goes into its frame.
    pub(super) async fn open_chat(&self) {
        self.browser.run(&format!("{BUTTON}.click()")).await;
        self.enter().await;
        self.browser.until("document.getElementById('text')?.offsetParent || document.getElementById('email')?.offsetParent || document.getElementById('offline')?.offsetParent").await;
    }

    /// Goes into the frame of the chat.
    pub(super) async fn enter(&self) {
        self.browser.enter_frame_of(FRAME).await;
        self.browser.until("document.getElementById('chat')").await;
    }

    /// Waits until somebody sees this text in the window of messages.
    pub(super) async fn sees(&self, text: &str) {
        let text = json!(text);
        self.browser.until(&format!("document.getElementById('log').innerText.includes({text})")).await;
    }

    /// Writes into the field and sends it with the keyboard.
    pub(super) async fn types(&self, text: &str) {
        self.browser.run("document.getElementById('text').focus()").await;
        self.browser.press(text).await;
        self.browser.press(super::access::ENTER).await;
    }
}
