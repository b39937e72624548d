//! Files for tests: contents that are what they say, forms that carry them, and a place to fetch them from.

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
};

use poem::{
    Body, IntoResponse, Request, Response,
    endpoint::make,
    http::StatusCode,
    listener::{Acceptor, Listener, TcpListener},
};
use reqwest::Method;

use crate::support::{Answer, TestApp, TokenClient};

const BOUNDARY: &str = "qm-boundary-7f3a";

/// A picture of so many bytes, as far as its first ones say; different for each `salt`.
pub(crate) fn png(size: usize, salt: u8) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    bytes.resize(size.max(9), salt);
    bytes
}

/// A document of so many bytes.
pub(crate) fn pdf(size: usize, salt: u8) -> Vec<u8> {
    let mut bytes = b"%PDF-1.7\n".to_vec();
    bytes.resize(size.max(10), salt);
    bytes
}

/// Something spoken.
pub(crate) fn ogg() -> Vec<u8> {
    [b"OggS\0\x02".as_slice(), &[0; 200]].concat()
}

/// A form with a file and other fields.
pub(crate) struct Form {
    body: Vec<u8>,
}

impl Form {
    pub(crate) fn new() -> Self {
        Self { body: Vec::new() }
    }

    /// With a file of this name and type.
    pub(crate) fn file(mut self, filename: &str, content_type: &str, content: &[u8]) -> Self {
        self.body.extend_from_slice(&file_head(filename, content_type));
        self.body.extend_from_slice(content);
        self.body.extend_from_slice(b"\r\n");
        self
    }

    pub(crate) fn field(mut self, name: &str, text: &str) -> Self {
        let part = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n");
        self.body.extend_from_slice(part.as_bytes());
        self
    }

    pub(crate) fn on(mut self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        self.body.extend_from_slice(&tail());
        request.header("Content-Type", content_type()).body(self.body)
    }
}

/// What comes before the content of a file in a form.
pub(crate) fn file_head(filename: &str, content_type: &str) -> Vec<u8> {
    format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{filename}\"\r\n\
         Content-Type: {content_type}\r\n\r\n"
    )
    .into_bytes()
}

/// What ends a form, without the line break that ends its last part.
pub(crate) fn tail() -> Vec<u8> {
    format!("--{BOUNDARY}--\r\n").into_bytes()
}

pub(crate) fn content_type() -> String {
    format!("multipart/form-data; boundary={BOUNDARY}")
}

impl TokenClient {
    /// Posts a form.
    pub(crate) async fn form(&self, path: &str, form: Form) -> Answer {
        Answer::of(form.on(self.request(Method::POST, path))).await
    }

    pub(crate) async fn form_with_key(&self, path: &str, key: &str, form: Form) -> Answer {
        Answer::of(form.on(self.request(Method::POST, path).header("Idempotency-Key", key))).await
    }

    /// Uploads a picture; its uid.
    pub(crate) async fn picture(&self, filename: &str, content: &[u8]) -> String {
        let form = Form::new().file(filename, "image/png", content);
        let answer = self.form("/files_upload", form).await.expect(200);
        answer["data"]["uid"].as_str().expect("a uid").to_owned()
    }
}

impl TestApp {
    /// Has all files be of so many bytes, as far as their rows say.
    pub(crate) async fn resize_files(&self, bytes: i64) {
        use sea_orm::{EntityTrait, sea_query::Expr};
        let resized = entity::file::Entity::update_many().col_expr(entity::file::Column::Size, Expr::value(bytes));
        let done = quartermaster::db::write(&self.app.db, "test", async |tx| Ok(resized.exec(tx).await?)).await;
        done.expect("rows");
    }

    /// How many objects the folder of files holds.
    pub(crate) fn stored_objects(&self) -> usize {
        count(&self.app.config.data_dir.join("files"))
    }
}

fn count(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let within = |path: std::path::PathBuf| if path.is_dir() { count(&path) } else { 1 };
    entries.map(|entry| within(entry.expect("an entry").path())).sum()
}

/// How a place answers.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) content: Vec<u8>,
    /// Whether the length is told beforehand.
    pub(crate) is_declared: bool,
}

impl Place {
    pub(crate) fn of(content_type: &'static str, content: Vec<u8>) -> Self {
        Self { status: 200, content_type, content, is_declared: true }
    }
}

/// A server of files.
pub(crate) struct Shelf {
    address: SocketAddr,
    places: Arc<Mutex<HashMap<String, Place>>>,
}

impl Shelf {
    pub(crate) async fn start() -> Self {
        let places: Arc<Mutex<HashMap<String, Place>>> = Arc::default();
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.expect("a port");
        let address = *acceptor.local_addr()[0].as_socket_addr().expect("an address");
        let served = Arc::clone(&places);
        let endpoint = make(move |request: Request| {
            let place = served.lock().expect("a lock").get(request.uri().path()).cloned();
            async move { Ok::<_, poem::Error>(answer(place)) }
        });
        tokio::spawn(poem::Server::new_with_acceptor(acceptor).run(endpoint));
        Self { address, places }
    }

    /// Puts something there; its address.
    pub(crate) fn put(&self, path: &str, place: Place) -> String {
        self.places.lock().expect("a lock").insert(path.to_owned(), place);
        format!("http://{}{path}", self.address)
    }
}

fn answer(place: Option<Place>) -> Response {
    let Some(place) = place else { return StatusCode::NOT_FOUND.into_response() };
    let response = Response::builder()
        .status(StatusCode::from_u16(place.status).expect("a status"))
        .header("Location", "https://example.com/")
        .content_type(place.content_type);
    match place.is_declared {
        true => response.body(place.content),
        false => {
            let chunks: Vec<_> =
                place.content.chunks(64 * 1024).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect();
            response.body(Body::from_bytes_stream(futures_util::stream::iter(chunks)))
        }
    }
}
