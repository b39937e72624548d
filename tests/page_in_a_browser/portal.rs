//! A partner's own website: an origin of its own with a page that frames ours and writes down what it is told.

use std::net::SocketAddr;

use poem::{
    EndpointExt, Route, Server, get, handler,
    listener::TcpAcceptor,
    web::{Html, Query},
};
use serde::Deserialize;

/// The website; it is gone with the test's runtime.
pub(super) struct Portal {
    pub(super) origin: String,
}

#[derive(Deserialize)]
struct Frames {
    /// The page that is framed.
    page: String,
    /// A page of somebody else's next to it.
    beside: Option<String>,
}

impl Portal {
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let pages = Route::new().at("/", get(framing)).at("/relay", get(relay)).boxed();
        let acceptor = TcpAcceptor::from_tokio(listener).expect("a listener");
        tokio::spawn(Server::new_with_acceptor(acceptor).run(pages));
        Self { origin }
    }

    /// Address of the page that frames another.
    pub(super) fn framing(&self, page: &str) -> String {
        let query = [("page", page)];
        reqwest::Url::parse_with_params(&self.origin, query).expect("an address").to_string()
    }

    /// The same with a page of another website beside it.
    pub(super) fn framing_beside(&self, page: &str, other: &Self) -> String {
        let query = [("page", page), ("beside", &format!("{}/relay", other.origin))];
        reqwest::Url::parse_with_params(&self.origin, query).expect("an address").to_string()
    }
}

#[handler]
fn framing(Query(frames): Query<Frames>) -> Html<String> {
    let frame = |url: &str| format!(r#"<iframe src="{url}" title="Connect"></iframe>"#);
    let both: String =
        [Some(&frames.page), frames.beside.as_ref()].into_iter().flatten().map(|url| frame(url)).collect();
    Html(format!(
        r#"<!doctype html>
        <html lang="en">
        <meta name="viewport" content="width=device-width">
        <meta name="color-scheme" content="light dark">
        <title>Portal</title>
        <style>body {{ margin: 8px; font-family: sans-serif }} iframe {{ width: 100%; height: 760px; border: 0 }}</style>
        <script>
          window.heard = [];
          addEventListener("message", (event) => heard.push({{ origin: event.origin, data: event.data }}));
          addEventListener("load", () => {{ window.isLoaded = true; }});
        </script>
        <h1>Portal</h1>
        {both}
        </html>"#
    ))
}

/// Says to the first frame of its parent what its parent says to it.
#[handler]
fn relay() -> Html<&'static str> {
    Html(
        r#"<!doctype html>
        <title>Relay</title>
        <script>addEventListener("message", (event) => parent.frames[0].postMessage(event.data, "*"));</script>"#,
    )
}
