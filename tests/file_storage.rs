//! Where contents are kept: a bucket does what the folder does, and neither needs memory for large ones.

use std::{
    cell::RefCell,
    process::{Child, Command, Stdio},
    time::Duration,
};

use entity::{blob, blob_stray, file};
use quartermaster::file::purge;
use reqwest::Method;
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{
    Answer, PartnerClient, Setup, TestApp, TokenClient,
    bucket::Bucket,
    free_address,
    moto::Moto,
    sender::Sender,
    upload::{self, Form, pdf, png},
};

const MIB: usize = 1024 * 1024;
/// What a process may grow by while it takes 100 MiB.
const MOST_GROWTH_KIB: u64 = 32 * 1024;

/// An application with its files in this bucket.
async fn in_bucket(bucket: &Bucket) -> TestApp {
    in_bucket_at(&bucket.url(), "AK", "secret").await
}

/// An application with its files in the bucket `files` of the service at this address, which it opens with this key.
async fn in_bucket_at(url: &str, key_id: &str, secret: &str) -> TestApp {
    // The configuration is changed by a plain function, so what it needs travels beside it.
    thread_local!(static PLACE: RefCell<[String; 3]> = RefCell::default());
    PLACE.replace([url, key_id, secret].map(str::to_owned));
    let change = |config: &mut quartermaster::config::Config| {
        let [url, key_id, secret] = PLACE.with_borrow(Clone::clone);
        config.s3_bucket = Some("files".to_owned());
        config.s3_endpoint = Some(url);
        config.s3_access_key_id = Some(key_id);
        config.s3_secret_access_key = Some(secret.into());
    };
    Setup::default().configured(change).start().await
}

async fn traces(app: &TestApp) -> (u64, u64, u64) {
    let db = app.app.db.reader();
    let files = file::Entity::find().count(db).await.expect("a count");
    let blobs = blob::Entity::find().count(db).await.expect("a count");
    (files, blobs, blob_stray::Entity::find().count(db).await.expect("a count"))
}

async fn read(app: &TestApp, token: &TokenClient, uid: &str) -> Vec<u8> {
    let shown = token.get(&format!("/files/{uid}")).await.expect(200);
    let link = shown["data"]["temporary_download_url"].as_str().expect("a link").to_owned();
    let answer = app.http.get(link).send().await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 200);
    answer.bytes().await.expect("a body").to_vec()
}

#[tokio::test]
async fn a_bucket_does_what_the_folder_does() {
    let bucket = Bucket::start().await;
    let app = in_bucket(&bucket).await;
    let sender = Sender::with_credits(&app, 10).await;
    let content = png(100_000, 1);
    let uid = sender.token.picture("a.png", &content).await;
    let again = sender.token.picture("b.png", &content).await;
    assert_eq!((traces(&app).await, bucket.holds(), app.stored_objects()), ((2, 1, 0), (1, 0), 0));
    assert_eq!(bucket.only().1, content);
    assert_eq!(read(&app, &sender.token, &again).await, content);
    let message = json!({ "phone": "+15550002222", "file_uid": uid });
    sender.token.post("/messages", message).await.expect(200);
    app.run_jobs().await;
    let given =
        entity::sandbox_message::Entity::find().one(app.app.db.reader()).await.expect("a look").expect("it came");
    assert!(given.attachment.is_some_and(|text| text.contains("100000")));
    for uid in [&again, &uid] {
        sender.token.delete(&format!("/files/{uid}")).await;
    }
    assert_eq!((traces(&app).await, bucket.holds()), ((1, 1, 0), (1, 0)), "a message carries one");
    app.clock.advance(Duration::from_secs(91 * 24 * 3600));
    purge::sweep(&app.app).await.expect("a sweep");
    assert_eq!((traces(&app).await, bucket.holds()), ((0, 0, 0), (0, 0)));
}

/// A link to a file of a hundred thousand bytes that are all different from their neighbours, and its content.
async fn linked(sender: &Sender) -> (String, Vec<u8>) {
    let rows = png(100_000, 0).into_iter().enumerate();
    let content: Vec<u8> = rows.map(|(n, byte)| if n < 8 { byte } else { n.to_le_bytes()[0] }).collect();
    let uid = sender.token.picture("a.png", &content).await;
    let shown = sender.token.get(&format!("/files/{uid}")).await.expect(200);
    (shown["data"]["temporary_download_url"].as_str().expect("a link").to_owned(), content)
}

#[tokio::test]
async fn who_was_interrupted_reads_on_from_either_place() {
    let bucket = Bucket::start().await;
    for app in [TestApp::start().await, in_bucket(&bucket).await] {
        let sender = Sender::with_credits(&app, 10).await;
        let (link, content) = linked(&sender).await;
        let whole = app.http.get(&link).send().await.expect("an answer");
        let tag = whole.headers()["etag"].to_str().expect("text").to_owned();
        assert_eq!(
            (whole.status().as_u16(), &whole.headers()["accept-ranges"]),
            (200, &"bytes".parse().expect("text"))
        );
        assert!(whole.bytes().await.expect("a body") == content);
        for (range, first, last) in [
            ("bytes=0-0", 0, 0),
            ("bytes=70000-", 70_000, 99_999),
            ("bytes=65530-65550", 65_530, 65_550),
            ("bytes=-7", 99_993, 99_999),
            ("bytes=99999-200000", 99_999, 99_999),
        ] {
            let part =
                app.http.get(&link).header("Range", range).header("If-Range", &tag).send().await.expect("a part");
            let header = |name: &str| part.headers()[name].to_str().expect("text").to_owned();
            assert_eq!(part.status().as_u16(), 206, "{range}");
            assert_eq!(header("content-range"), format!("bytes {first}-{last}/100000"));
            assert_eq!(header("content-length"), (last - first + 1).to_string());
            assert_eq!((header("etag"), header("content-type")), (tag.clone(), "image/png".to_owned()));
            assert!(part.bytes().await.expect("a body") == content[first..=last], "{range}");
        }
        let beyond = app.http.get(&link).header("Range", "bytes=100000-").send().await.expect("an answer");
        assert_eq!(
            (beyond.status().as_u16(), &beyond.headers()["content-range"]),
            (416, &"bytes */100000".parse().expect("text"))
        );
        assert_eq!(beyond.bytes().await.expect("no body").len(), 0);
        // Who asks for several parts, or has begun with something else, gets the whole.
        for (name, value) in [("Range", "bytes=0-1,5-6"), ("Range", "pages=1-2"), ("If-Range", "\"another\"")] {
            let range = if name == "Range" { value } else { "bytes=0-1" };
            let mut request = app.http.get(&link).header("Range", range);
            if name == "If-Range" {
                request = request.header(name, value);
            }
            let answer = request.send().await.expect("an answer");
            assert_eq!(
                (answer.status().as_u16(), answer.bytes().await.expect("a body").len()),
                (200, 100_000),
                "{value}"
            );
        }
        for (known, status) in
            [(tag.clone(), 304), (format!("\"x\", W/{tag}"), 304), ("*".to_owned(), 304), ("\"x\"".to_owned(), 200)]
        {
            let answer = app.http.get(&link).header("If-None-Match", &known).send().await.expect("an answer");
            assert_eq!(answer.status().as_u16(), status, "{known}");
        }
    }
}

#[tokio::test]
async fn large_contents_go_in_parts() {
    let bucket = Bucket::start().await;
    let app = in_bucket(&bucket).await;
    let sender = Sender::with_credits(&app, 10).await;
    let content = large();
    bucket.requests();
    let form = Form::new().file("a.pdf", "application/pdf", &content);
    let made = sender.token.form("/files_upload", form).await.expect(200);
    let parts = "PUT partNumber&uploadId";
    assert_eq!(bucket.requests(), ["POST uploads", parts, parts, parts, "POST uploadId"]);
    let uid = made["data"]["uid"].as_str().expect("a uid");
    assert!(read(&app, &sender.token, uid).await == content, "the parts are in order");
    let refused = Form::new().file("a.png", "image/png", &png(17 * MIB, 0));
    sender.token.form("/files_upload", refused).await.expect(413);
    assert_eq!((traces(&app).await, bucket.holds()), ((1, 1, 0), (1, 0)), "nothing is left of what was refused");
}

/// 12 MiB whose parts are told from each other.
fn large() -> Vec<u8> {
    let bytes = pdf(12 * MIB + 1, 0).into_iter().enumerate();
    bytes.map(|(n, byte)| if n < 9 { byte } else { n.to_le_bytes()[1] ^ n.to_le_bytes()[2] }).collect()
}

#[tokio::test]
async fn a_service_that_is_not_ours_takes_what_we_sign_and_send() {
    let moto = Moto::start();
    let app = in_bucket_at(&moto.url, &moto.key_id, &moto.secret).await;
    let sender = Sender::with_credits(&app, 10).await;
    let (small, large) = (png(100_000, 1), large());
    let picture = sender.token.picture("a.png", &small).await;
    let form = Form::new().file("a.pdf", "application/pdf", &large);
    let made = sender.token.form("/files_upload", form).await.expect(200)["data"].clone();
    let document = made["uid"].as_str().expect("a uid");
    let (objects, uploads) = moto.holds();
    assert_eq!((objects.len(), uploads, app.stored_objects()), (2, 0, 0));
    assert!(read(&app, &sender.token, &picture).await == small);
    assert!(read(&app, &sender.token, document).await == large, "the parts are in order");
    let link = made["temporary_download_url"].as_str().expect("a link");
    let (first, last) = (5 * MIB - 3, 10 * MIB + 3);
    let part = app.http.get(link).header("Range", format!("bytes={first}-{last}")).send().await.expect("a part");
    assert_eq!(part.status().as_u16(), 206);
    assert!(part.bytes().await.expect("a body") == large[first..=last]);
    let refused = Form::new().file("a.png", "image/png", &png(17 * MIB, 0));
    sender.token.form("/files_upload", refused).await.expect(413);
    assert_eq!((moto.holds().0.len(), moto.holds().1), (2, 0), "nothing is left of what was refused");
    sender.token.delete(&format!("/files/{document}")).await;
    assert_eq!(moto.holds().0.len(), 1);
    app.clock.advance(Duration::from_secs(91 * 24 * 3600));
    purge::sweep(&app.app).await.expect("a sweep");
    assert_eq!((moto.holds(), traces(&app).await), ((Vec::new(), 0), (0, 0, 0)));
}

#[tokio::test]
async fn a_service_that_is_not_ours_refuses_a_wrong_key() {
    let moto = Moto::start();
    for (key_id, secret) in [(moto.key_id.as_str(), "wrong"), ("AKIAUNKNOWN000000000", moto.secret.as_str())] {
        let app = in_bucket_at(&moto.url, key_id, secret).await;
        let sender = Sender::with_credits(&app, 10).await;
        for (name, size) in [("small", 1000), ("in parts", 6 * MIB)] {
            let form = Form::new().file("a.pdf", "application/pdf", &pdf(size, 0));
            let refused = sender.token.form("/files_upload", form).await.expect(503);
            assert_eq!(refused["status"], "error", "{name}");
        }
        assert_eq!(sender.token.get("/files").await.expect(200)["data"], json!([]));
        assert_eq!(moto.holds(), (Vec::new(), 0));
    }
}

#[tokio::test]
async fn a_bucket_that_refuses_is_told_as_busy_and_tidied_up_later() {
    let bucket = Bucket::start().await;
    let app = in_bucket(&bucket).await;
    let sender = Sender::with_credits(&app, 10).await;
    let form = |size| Form::new().file("a.pdf", "application/pdf", &pdf(size, 0));
    // The object itself, and the attempt to remove it.
    bucket.fail(2);
    sender.token.form("/files_upload", form(1000)).await.expect(503);
    assert_eq!(traces(&app).await, (0, 0, 1));
    assert_eq!(purge::sweep(&app.app).await.expect("a sweep"), 0);
    assert_eq!((traces(&app).await, bucket.holds()), ((0, 0, 0), (0, 0)));
    let uid = sender.token.picture("a.png", &png(1000, 0)).await;
    bucket.fail(1);
    let shown = sender.token.get(&format!("/files/{uid}")).await.expect(200);
    let link = shown["data"]["temporary_download_url"].as_str().expect("a link");
    assert_eq!(app.http.get(link).send().await.expect("an answer").status().as_u16(), 503);
}

#[tokio::test]
async fn parts_of_a_process_that_died_are_removed() {
    let bucket = Bucket::start().await;
    let app = in_bucket(&bucket).await;
    let sender = Sender::with_credits(&app, 10).await;
    let workspace = entity::workspace::Entity::find().one(app.app.db.reader()).await.expect("a look").expect("one");
    let mut dying = quartermaster::file::upload::Upload::begin(&app.app, workspace.id).await.expect("an upload");
    dying.write(&pdf(6 * MIB, 0)).await.expect("written");
    drop(dying);
    assert_eq!((traces(&app).await, bucket.holds()), ((0, 0, 1), (0, 1)));
    purge::sweep(&app.app).await.expect("a sweep");
    assert_eq!(bucket.holds(), (0, 1), "it may be under way");
    app.clock.advance(Duration::from_secs(2 * 3600));
    purge::sweep(&app.app).await.expect("a sweep");
    assert_eq!((traces(&app).await, bucket.holds()), ((0, 0, 0), (0, 0)));
    sender.token.picture("a.png", &png(1000, 0)).await;
}

/// The binary, on a folder of its own, with a token to upload with.
struct Process {
    child: Child,
    base: String,
    token: String,
    http: reqwest::Client,
    _folder: tempfile::TempDir,
}

impl Process {
    async fn start(environment: &[(&str, String)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let binary = || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_quartermaster"));
            command.arg("--data-dir").arg(folder.path()).stdin(Stdio::null());
            command.envs(environment.iter().map(|(name, value)| (*name, value)));
            command
        };
        let create = ["partner", "create", "--id", "acme", "--name", "Acme", "--sandbox", "--json"];
        let made = binary().args(create).output().expect("the binary");
        let made: Value = serde_json::from_slice(&made.stdout).expect("JSON");
        let listen = free_address();
        let child = binary().args(["--listen", &listen.to_string()]).stderr(Stdio::null()).spawn().expect("the binary");
        let base = format!("http://{listen}");
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        while http.get(format!("{base}/readyz")).send().await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let secret = made["secret"].as_str().expect("a secret");
        let clock = quartermaster::clock::Clock::system();
        let acme = PartnerClient::new(&base, http.clone(), "acme", secret, clock);
        let workspace = acme.workspace("Bakery", 1).await;
        let token = acme.get(&format!("/workspaces/{workspace}/api-token")).await.expect(200);
        let token = token["token"].as_str().expect("a token").to_owned();
        Self { child, base, token, http, _folder: folder }
    }

    /// A line of what the kernel knows of the process, in KiB.
    fn memory(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a status");
        let line = status.lines().find_map(|text| text.strip_prefix(line)).expect("a line");
        line.trim_start_matches(':').split_whitespace().next().expect("a number").parse().expect("a number")
    }

    /// Uploads so many MiB that are made as they are sent; the answer, and the digest of what was sent.
    async fn upload(&self, mebibytes: u8) -> (Answer, Vec<u8>) {
        let size = usize::from(mebibytes) * MIB;
        let first = pdf(MIB, 0);
        let mut digest = Sha256::new();
        digest.update(&first);
        for n in 1..mebibytes {
            digest.update(vec![n; MIB]);
        }
        let (head, tail) =
            (upload::file_head("large.pdf", "application/pdf"), [b"\r\n".to_vec(), upload::tail()].concat());
        let length = head.len() + size + tail.len();
        let middle = (0..mebibytes).map(move |n| if n == 0 { first.clone() } else { vec![n; MIB] });
        let chunks = [head].into_iter().chain(middle).chain([tail]).map(Ok::<_, std::io::Error>);
        let request = self
            .http
            .request(Method::POST, format!("{}/integrations/api/files_upload", self.base))
            .bearer_auth(&self.token)
            .header("Content-Type", upload::content_type())
            .header("Content-Length", length)
            .body(reqwest::Body::wrap_stream(futures_util::stream::iter(chunks)));
        (Answer::of(request).await, digest.finalize().to_vec())
    }

    /// Takes a file of so many MiB in and gives it out again.
    async fn pass_through(&self, mebibytes: u8) {
        let (answer, digest) = self.upload(mebibytes).await;
        let made = answer.expect(200)["data"].clone();
        assert_eq!(made["size"], usize::from(mebibytes) * MIB);
        let link = made["temporary_download_url"].as_str().expect("a link");
        let mut read = self.http.get(link).send().await.expect("an answer");
        let mut back = Sha256::new();
        while let Some(chunk) = read.chunk().await.expect("a piece") {
            back.update(&chunk);
        }
        assert_eq!(back.finalize().to_vec(), digest);
    }

    /// Passes 100 MiB through and checks what that needs.
    async fn stays_small(&self) {
        // The first file brings code and statements into memory, which the size of files does not change.
        self.pass_through(1).await;
        std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").expect("the peak is forgotten");
        let before = self.memory("VmRSS");
        self.pass_through(100).await;
        let growth = self.memory("VmHWM").saturating_sub(before);
        println!("100 MiB in and out again: {growth} KiB more than {before} KiB");
        assert!(growth < MOST_GROWTH_KIB, "{growth} KiB more than {before} KiB");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_mebibytes_take_little_memory() {
    Process::start(&[]).await.stays_small().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_mebibytes_take_little_memory_with_a_bucket_too() {
    let bucket = Bucket::start().await;
    let environment = [
        ("QM_S3_BUCKET", "files".to_owned()),
        ("QM_S3_ENDPOINT", bucket.url()),
        ("QM_S3_ACCESS_KEY_ID", "AK".to_owned()),
        ("QM_S3_SECRET_ACCESS_KEY", "secret".to_owned()),
    ];
    Process::start(&environment).await.stays_small().await;
}
