//! An S3-compatible service that keeps its objects in memory and remembers what it was asked.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use poem::{
    Request, Response,
    endpoint::make,
    http::{Method, StatusCode},
    listener::{Acceptor, Listener, TcpListener},
};

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Vec<u8>>,
    uploads: HashMap<String, BTreeMap<u32, Vec<u8>>>,
    requests: Vec<String>,
    begun: usize,
    /// How many of the next requests fail.
    failing: usize,
}

/// The service.
pub(crate) struct Bucket {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Bucket {
    pub(crate) async fn start() -> Self {
        let state: Arc<Mutex<State>> = Arc::default();
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.expect("a port");
        let address = *acceptor.local_addr()[0].as_socket_addr().expect("an address");
        let served = Arc::clone(&state);
        let endpoint = make(move |mut request: Request| {
            let state = Arc::clone(&served);
            async move {
                let body = request.take_body().into_vec().await.expect("a body");
                assert!(request.header("authorization").is_some_and(|text| text.starts_with("AWS4-HMAC-SHA256")));
                Ok::<_, poem::Error>(serve(&mut state.lock().expect("a lock"), &request, body))
            }
        });
        tokio::spawn(poem::Server::new_with_acceptor(acceptor).run(endpoint));
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many objects there are, and uploads in parts that have not come to an end.
    pub(crate) fn holds(&self) -> (usize, usize) {
        let state = self.state.lock().expect("a lock");
        (state.objects.len(), state.uploads.len())
    }

    /// The only object.
    pub(crate) fn only(&self) -> (String, Vec<u8>) {
        let state = self.state.lock().expect("a lock");
        assert_eq!(state.objects.len(), 1);
        let (key, content) = state.objects.first_key_value().expect("an object");
        (key.clone(), content.clone())
    }

    /// What was asked since the last time.
    pub(crate) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().expect("a lock").requests)
    }

    /// Refuses the next requests for good.
    pub(crate) fn fail(&self, count: usize) {
        self.state.lock().expect("a lock").failing = count;
    }
}

fn serve(state: &mut State, request: &Request, body: Vec<u8>) -> Response {
    let key = request.uri().path().to_owned();
    let query: HashMap<String, String> = request
        .uri()
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut names: Vec<&str> = query.keys().map(String::as_str).collect();
    names.sort_unstable();
    state.requests.push(format!("{} {}", request.method(), names.join("&")).trim_end().to_owned());
    if state.failing > 0 {
        state.failing -= 1;
        return Response::builder().status(StatusCode::FORBIDDEN).body("<Error><Code>AccessDenied</Code></Error>");
    }
    let upload = query.get("uploadId");
    match (request.method(), upload) {
        (&Method::POST, None) if query.contains_key("uploads") => begin(state, &key),
        (&Method::PUT, Some(upload)) => {
            let number = query["partNumber"].parse().expect("a number");
            let Some(parts) = state.uploads.get_mut(upload) else { return missing("NoSuchUpload") };
            parts.insert(number, body);
            Response::builder().header("ETag", format!("\"part-{number}\"")).finish()
        }
        (&Method::POST, Some(upload)) => {
            let Some(parts) = state.uploads.remove(upload) else { return missing("NoSuchUpload") };
            state.objects.insert(key, parts.into_values().flatten().collect());
            let done = "<CompleteMultipartUploadResult><ETag>\"whole\"</ETag></CompleteMultipartUploadResult>";
            Response::builder().content_type("application/xml").body(done)
        }
        (&Method::DELETE, Some(upload)) => match state.uploads.remove(upload) {
            Some(_) => Response::builder().status(StatusCode::NO_CONTENT).finish(),
            None => missing("NoSuchUpload"),
        },
        (&Method::PUT, None) => {
            state.objects.insert(key, body);
            Response::builder().header("ETag", "\"whole\"").finish()
        }
        (&Method::DELETE, None) => {
            state.objects.remove(&key);
            Response::builder().status(StatusCode::NO_CONTENT).finish()
        }
        (&Method::GET, None) => match state.objects.get(&key) {
            Some(content) => object(content, request.header("range")),
            None => missing("NoSuchKey"),
        },
        _ => Response::builder().status(StatusCode::METHOD_NOT_ALLOWED).finish(),
    }
}

/// An object, or the bytes of it that are asked for as `bytes=first-last`.
fn object(content: &[u8], range: Option<&str>) -> Response {
    let answer =
        Response::builder().header("ETag", "\"whole\"").header("Last-Modified", "Thu, 10 Sep 2026 08:00:00 GMT");
    let Some(range) = range else { return answer.body(content.to_vec()) };
    let (first, last) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')).expect("a range");
    let (first, last): (usize, usize) = (first.parse().expect("a number"), last.parse().expect("a number"));
    answer
        .status(StatusCode::PARTIAL_CONTENT)
        .header("Content-Range", format!("bytes {first}-{last}/{}", content.len()))
        .body(content[first..=last].to_vec())
}

fn begin(state: &mut State, key: &str) -> Response {
    state.begun += 1;
    let upload = format!("upload-{}", state.begun);
    state.uploads.insert(upload.clone(), BTreeMap::new());
    let text = format!(
        "<InitiateMultipartUploadResult><Bucket>files</Bucket><Key>{key}</Key><UploadId>{upload}</UploadId>\
         </InitiateMultipartUploadResult>"
    );
    Response::builder().content_type("application/xml").body(text)
}

fn missing(code: &str) -> Response {
    let text = format!("<Error><Code>{code}</Code><Message>There is none.</Message></Error>");
    Response::builder().status(StatusCode::NOT_FOUND).content_type("application/xml").body(text)
}
