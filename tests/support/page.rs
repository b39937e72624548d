//! An onboarding page without a browser: its addresses and its events.

use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::{Stream, StreamExt};
use serde_json::{Value, json};

use super::client::Answer;

pub(crate) struct Page {
    http: reqwest::Client,
    pub(crate) url: String,
}

/// What the page shows.
pub(crate) struct Shown(pub(crate) Value);

impl Page {
    pub(crate) fn open(http: &reqwest::Client, url: &str) -> Self {
        Self { http: http.clone(), url: url.to_owned() }
    }

    /// The same page at another replica.
    pub(crate) fn at(&self, base: &str) -> Self {
        let (_, token) = self.url.rsplit_once("/qr/").expect("a link");
        Self { http: self.http.clone(), url: format!("{base}/qr/{token}") }
    }

    pub(crate) async fn html(&self, query: &str) -> Answer {
        Answer::of(self.http.get(format!("{}{query}", self.url))).await
    }

    pub(crate) async fn try_start(&self) -> Answer {
        Answer::of(self.http.post(format!("{}/attempts", self.url))).await
    }

    pub(crate) async fn start(&self) -> Shown {
        Shown(self.try_start().await.expect(200))
    }

    /// Starts with what an account signs in with.
    pub(crate) async fn sign_in(&self, username: &str, password: &str) -> Answer {
        let login = json!({ "username": username, "password": password });
        Answer::of(self.http.post(format!("{}/attempts", self.url)).json(&login)).await
    }

    /// Answers the question with this number.
    pub(crate) async fn answer(&self, question: i64, code: &str) -> Answer {
        let body = json!({ "question": question, "code": code });
        Answer::of(self.http.post(format!("{}/answer", self.url)).json(&body)).await
    }

    pub(crate) async fn ask_again(&self) -> Answer {
        Answer::of(self.http.post(format!("{}/answer/resend", self.url))).await
    }

    pub(crate) async fn try_pair(&self, phone: &str) -> Answer {
        Answer::of(self.http.post(format!("{}/pairing-code", self.url)).json(&json!({ "phone": phone }))).await
    }

    /// The events as they come.
    pub(crate) async fn events(&self) -> impl Stream<Item = Shown> + Unpin + use<> {
        let response = self.http.get(format!("{}/events", self.url)).send().await.expect("events");
        assert_eq!(response.status().as_u16(), 200);
        let stream = response.bytes_stream().map(|chunk| chunk.map_or_else(|_| Vec::new(), |bytes| bytes.to_vec()));
        let states = stream.scan(String::new(), |text, chunk| {
            text.push_str(&String::from_utf8_lossy(&chunk));
            let mut states = Vec::new();
            while let Some((event, rest)) = text.split_once("\n\n") {
                let data = event.lines().find_map(|line| line.strip_prefix("data: "));
                states.extend(data.map(|data| Shown(serde_json::from_str(data).expect("a state"))));
                *text = rest.to_owned();
            }
            std::future::ready(Some(futures_util::stream::iter(states)))
        });
        states.flatten().boxed()
    }

    /// What the page shows now: the first event.
    pub(crate) async fn now(&self) -> Shown {
        self.events().await.next().await.expect("a state")
    }
}

impl Shown {
    pub(crate) fn state(&self) -> &str {
        self.0["state"].as_str().expect("a state")
    }

    /// What the QR code says.
    pub(crate) fn code(&self) -> String {
        read_qr(self.0["qr"]["image"].as_str().unwrap_or_else(|| panic!("no code: {}", self.0)))
    }
}

/// Decodes the picture of a QR code: an SVG with one path that draws runs of dark squares.
pub(crate) fn read_qr(data_url: &str) -> String {
    let encoded = data_url.strip_prefix("data:image/svg+xml;base64,").expect("an SVG");
    let svg = String::from_utf8(BASE64_STANDARD.decode(encoded).expect("base64")).expect("text");
    let path = svg.split(" d=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a path");
    let mut dark = std::collections::HashSet::new();
    for run in path.split('M').filter(|run| !run.is_empty()) {
        let (place, rest) = run.split_once('h').expect("a run");
        let (x, y) = place.split_once([' ', ',']).expect("a place");
        let (x, y): (usize, usize) = (x.trim().parse().expect("x"), y.trim().parse().expect("y"));
        let width: usize = rest.split(|c: char| !c.is_ascii_digit()).next().expect("a width").parse().expect("a width");
        dark.extend((x..x + width).map(|x| (x, y)));
    }
    let quiet = dark.iter().map(|(x, _)| *x).min().expect("dark squares");
    let size = dark.iter().map(|(x, _)| *x).max().expect("dark squares") - quiet + 1;
    let grid = rqrr::SimpleGrid::from_func(size, |x, y| dark.contains(&(x + quiet, y + quiet)));
    rqrr::Grid::new(grid).decode().expect("a QR code").1
}
