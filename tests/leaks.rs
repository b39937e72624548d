//! Secrets appear where they were asked for, and nowhere else: not in logs at their most talkative, not in the files
//! of the embedded store.

use std::{
    fs,
    process::{Command, Stdio},
};

use serde_json::json;

use crate::support::{Answer, PartnerClient, free_address, page::Page};

mod channels;

fn binary(folder: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quartermaster"));
    command.arg("--data-dir").arg(folder).stdin(Stdio::null());
    command
}

#[tokio::test]
async fn no_secret_reaches_a_log_or_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = fs::File::create(folder.path().join("log")).expect("a log");
    let create = ["partner", "create", "--id", "acme", "--name", "Acme", "--sandbox", "--json"];
    let made = binary(folder.path()).args(create).output().expect("the binary");
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).expect("JSON");
    let secret = made["secret"].as_str().expect("a secret").to_owned();
    let listen = free_address();
    let mut server = binary(folder.path())
        .args(["--listen", &listen.to_string(), "--log-filter", "trace"])
        .stderr(log)
        .spawn()
        .expect("the binary");
    let base = format!("http://{listen}");
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    while http.get(format!("{base}/readyz")).send().await.is_err() {
        tokio::task::yield_now().await;
    }
    let clock = quartermaster::clock::Clock::system();
    let acme = PartnerClient::new(&base, http.clone(), "acme", &secret, clock);
    let workspace = acme.workspace("Bakery", 2).await;
    let owner = acme.owner(&workspace).await;
    let page = Page::open(&http, &acme.link(&workspace, owner).await);
    page.html("?display_mode=embedding").await;
    page.start().await;
    let pairing =
        page.try_pair("+15550001111").await.expect(200)["pairing"]["code"].as_str().expect("a code").to_owned();
    let typed = json!({ "code": pairing, "phone": "+15550001111" });
    acme.post_with_key("/sandbox/pair", "k", typed).await.expect(200);
    page.now().await;
    let (_, token) = page.url.rsplit_once('/').expect("a token");
    for path in ["//qr/{}", "/%71r/{}", "/x/../qr/{}", "/qr/%2e%2e/{}", "/assets/{}", "/qr/{}/%ff", "/{}"] {
        drop(Answer::of(http.get(format!("{base}{}", path.replace("{}", token)))).await);
    }
    let path = format!("/workspaces/{workspace}/api-token");
    let first = acme.get(&path).await.expect(200)["token"].as_str().expect("a token").to_owned();
    let second =
        acme.post_with_key(&path, "key", json!({})).await.expect(201)["token"].as_str().expect("a token").to_owned();
    for token in [&first, &second] {
        drop(Answer::of(http.get(format!("{base}/integrations/api/workspace")).bearer_auth(token)).await);
    }
    let (password, code) = ("leaky-instagram-password_otp", "leaky-verification-code");
    let connect = format!("{base}/api/v1/channels/instagram");
    let login = json!({ "username": "my_brand", "password": password });
    let asked = Answer::of(http.post(format!("{connect}/connect")).bearer_auth(&second).json(&login)).await.expect(200);
    let solved = json!({ "account_id": asked["data"]["account_id"], "code": code });
    let solved = Answer::of(http.post(format!("{connect}/2fa")).bearer_auth(&second).json(&solved)).await.expect(200);
    let listed = Answer::of(http.get(format!("{base}/v1/channels")).bearer_auth(&second)).await.expect(200);
    let answers = format!("{asked}{solved}{listed}");
    assert!(!answers.contains(password) && !answers.contains(code), "{answers}");
    let (page_password, page_code) = ("leaky-password-of-a-page_otp", "leaky-code-of-a-page");
    let sign_in = Page::open(&http, &acme.link_on(&workspace, owner, "instagram").await);
    let asked = sign_in.sign_in("page_brand", page_password).await;
    sign_in.answer(1, "000000").await.expect(400);
    let connected = sign_in.answer(1, page_code).await;
    assert_eq!(connected.expect(200)["state"], "connected");
    let answers = format!("{}{}", asked.text, connected.text);
    assert!(!answers.contains(page_password) && !answers.contains(page_code), "{answers}");
    let jwt = acme.jwt();
    drop(Answer::of(http.get(format!("{base}/partner/api/v1/workspaces")).bearer_auth(&jwt)).await);
    let id = server.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill").success());
    server.wait().expect("an end");
    let (_, link) = page.url.rsplit_once('/').expect("a token");
    let master_key = fs::read_to_string(folder.path().join("master.key")).expect("a key");
    let (_, master_key) = master_key.split_once(':').expect("a key");
    for entry in fs::read_dir(folder.path()).expect("a folder") {
        let path = entry.expect("an entry").path();
        let content = fs::read(&path).expect("a file");
        let is_log = path.ends_with("log");
        let holds = |needle: &str| content.windows(needle.len()).any(|window| window == needle.as_bytes());
        assert!(!is_log || holds("served"), "the log tells of requests");
        for (name, needle) in [
            ("partner secret", secret.as_str()),
            ("first token", &first),
            ("second token", &second),
            ("link", link),
            ("JWT", &jwt),
            ("password", password),
            ("verification code", code),
            ("password of a page", page_password),
            ("code of a page", page_code),
            ("master key", master_key.trim()),
        ] {
            let is_its_place = name == "master key" && path.ends_with("master.key");
            assert!(is_its_place || !holds(needle), "{name} in {}", path.display());
        }
        assert!(!is_log || !holds("15550001111"), "a phone number in the log");
        assert!(!is_log || !holds(&pairing), "a pairing code in the log");
    }
}
