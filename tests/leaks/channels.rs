//! A full run over channels at their most talkative: what is secret of them is in the answer that is to show it and
//! nowhere else, and in the files only sealed.

use reqwest::Method;
use serde_json::Value;

use super::*;
use crate::support::{
    channels::settings,
    evolution::{self, Evolution},
    receiver::Receiver,
    unipile::{self, Unipile},
    waha::{self, Waha},
};

/// A customer's system that remembers what it was answered.
struct Witness {
    http: reqwest::Client,
    base: String,
    token: String,
    /// What was asked, and what was answered.
    answers: Vec<(String, String)>,
}

impl Witness {
    async fn call(&mut self, method: Method, path: &str, body: Value) -> Answer {
        let request = self.http.request(method.clone(), format!("{}/v1{path}", self.base)).bearer_auth(&self.token);
        self.keep(format!("{method} {path}"), request, body).await
    }

    async fn timely(&mut self, method: Method, path: &str, body: Value) -> Answer {
        let request = self.http.request(method.clone(), format!("{}/v1{path}", self.base));
        self.keep(format!("{method} {path} (key)"), request.header("x-api-key", &self.token), body).await
    }

    async fn keep(&mut self, asked: String, request: reqwest::RequestBuilder, body: Value) -> Answer {
        let answer = Answer::of(if body.is_null() { request } else { request.json(&body) }).await;
        let headers = format!("{:?}", answer.headers);
        self.answers.push((asked, headers + &answer.text));
        answer
    }

    async fn post(&mut self, path: &str, body: Value) -> Value {
        let answer = self.call(Method::POST, path, body).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
        answer.json()
    }
}

/// A secret: what it is, what it says, and which answers may say it.
struct Secret {
    name: String,
    text: String,
    /// Whether the answer to this is to show it.
    is_shown_by: fn(&str) -> bool,
    /// Whether it is kept in the open while it is of use, as codes are that a page shows.
    is_passing: bool,
}

fn secret(name: &str, text: &str, is_shown_by: fn(&str) -> bool) -> Secret {
    assert!(text.len() >= 8, "{name}");
    Secret { name: name.to_owned(), text: text.to_owned(), is_shown_by, is_passing: false }
}

/// One that no answer shows.
fn hidden(name: &str, text: &str) -> Secret {
    secret(name, text, |_| false)
}

/// What signs what comes to a channel's address.
fn of_address(made: &Value) -> Secret {
    secret("webhookSecret", &text_of(&made["attributes"]["webhookSecret"]), |asked| asked == "POST /channels")
}

fn text_of(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// What is secret in settings: texts that say so, made unlike anything else.
fn disguise(config: &mut Value, secrets: &mut Vec<Secret>) {
    let Some(settings) = config.as_object_mut() else { return };
    for (name, value) in settings {
        if let Some(text) = value.as_str().filter(|text| text.ends_with("-secret")) {
            let disguised = format!("{text}-{:016x}", 0x5eed_0000_u64 + u64::try_from(secrets.len()).expect("few"));
            secrets.push(hidden(name, disguised.rsplit(':').next().expect("a part")));
            *value = disguised.into();
        }
    }
}

/// Sets a connector's credentials for the partner.
fn open(folder: &std::path::Path, connector: &str, url: &str, key: &str) {
    let file = folder.join(format!("{connector}.key"));
    fs::write(&file, key).expect("a key");
    let path = file.to_str().expect("a path");
    let arguments = ["--connector", connector, "--base-url", url, "--api-key-file", path, "--partner", "acme"];
    let set = binary(folder).args(["connector", "set-credentials"]).args(arguments).output().expect("the binary");
    assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
    fs::remove_file(file).expect("no key is left");
}

async fn wait_for(what: &str, is_so: impl AsyncFn() -> bool) {
    let all = async {
        while !is_so().await {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(std::time::Duration::from_secs(20), all).await;
    assert!(waited.is_ok(), "{what}");
}

#[tokio::test]
async fn no_secret_of_a_channel_reaches_a_log_a_file_or_another_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = fs::File::create(folder.path().join("log")).expect("a log");
    let create = ["partner", "create", "--id", "acme", "--name", "Acme", "--sandbox", "--json"];
    let made = binary(folder.path()).args(create).output().expect("the binary");
    let made: Value = serde_json::from_slice(&made.stdout).expect("JSON");
    let rates = ["--token-rate", "1000", "--token-burst", "1000", "--workspace-rate", "1000", "--partner-rate", "1000"];
    let set = binary(folder.path()).args(["plan", "set", "starter"]).args(rates).output().expect("the binary");
    assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
    let (waha, evolution, unipile) = (Waha::start().await, Evolution::start().await, Unipile::start().await);
    open(folder.path(), "waha", &waha.url(), waha::KEY);
    open(folder.path(), "evolution", &evolution.url(), evolution::KEY);
    open(folder.path(), "unipile", &unipile.url(), unipile::KEY);
    let listen = free_address();
    let mut server = binary(folder.path())
        .args(["--listen", &listen.to_string(), "--log-filter", "trace"])
        .env("QM_ALLOW_PRIVATE_TARGETS", "true")
        .stderr(log)
        .spawn()
        .expect("the binary");
    let base = format!("http://{listen}");
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    wait_for("it listens", async || http.get(format!("{base}/readyz")).send().await.is_ok()).await;
    let clock = quartermaster::clock::Clock::system();
    let acme = PartnerClient::new(&base, http.clone(), "acme", made["secret"].as_str().expect("a secret"), clock);
    let workspace = acme.workspace("Bakery", 20).await;
    let token = acme.get(&format!("/workspaces/{workspace}/api-token")).await.expect(200);
    let mut shop = Witness { http, base, token: text_of(&token["token"]), answers: Vec::new() };
    let mut secrets = vec![
        hidden("token", &shop.token),
        hidden("key of WAHA", waha::KEY),
        hidden("key of Evolution", evolution::KEY),
        hidden("token of an instance", "the-token-of-the-instance"),
        hidden("key of Unipile", unipile::KEY),
        hidden("password", unipile::PASSWORD),
    ];
    run(&mut shop, &acme, &mut secrets, (&waha, &evolution, &unipile)).await;
    let id = server.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill").success());
    server.wait().expect("an end");
    look(folder.path(), &shop, &secrets);
}

/// Does with channels and webhooks all that can be done.
async fn run(shop: &mut Witness, acme: &PartnerClient, secrets: &mut Vec<Secret>, far: (&Waha, &Evolution, &Unipile)) {
    let receiver = Receiver::start().await;
    let hook = json!({ "url": receiver.url(), "events": ["*"] });
    let hook = shop.post("/webhooks", hook).await["data"].clone();
    let shown = text_of(&hook["attributes"]["secret"]);
    secrets.push(secret("secret of a webhook", &shown, |asked| asked == "POST /webhooks"));
    let hook = format!("/webhooks/{}", text_of(&hook["id"]));
    for (network, mut config) in settings() {
        disguise(&mut config, secrets);
        let body = json!({ "name": network, "type": network, "config": config });
        let made = shop.post("/channels", body).await["data"].clone();
        secrets.push(of_address(&made));
        let path = format!("/channels/{}", text_of(&made["id"]));
        for action in ["test", "activate", "deactivate", "activate"] {
            shop.post(&format!("{path}/{action}"), json!(null)).await;
        }
        let mut renewed = json!({ "config": config });
        disguise_again(&mut renewed["config"], secrets);
        shop.call(Method::PATCH, &path, renewed).await;
        shop.call(Method::PATCH, &path, json!({ "config": { "nothing": "of-the-kind-secret" } })).await;
        for path in [path.clone(), format!("{path}/stats"), format!("{path}/qr-code"), "/channels".to_owned()] {
            shop.call(Method::GET, &path, json!(null)).await;
            shop.timely(Method::GET, &path, json!(null)).await;
        }
    }
    phones(shop, acme, secrets, far).await;
    shop.post(&format!("{hook}/test"), json!(null)).await;
    let rotated = shop.post(&format!("{hook}/rotate-secret"), json!(null)).await;
    let renewed = text_of(&rotated["data"]["attributes"]["secret"]);
    secrets.push(secret("renewed secret of a webhook", &renewed, |asked| asked.ends_with("/rotate-secret")));
    for path in ["/webhooks".to_owned(), hook.clone(), format!("{hook}/deliveries?limit=200")] {
        shop.call(Method::GET, &path, json!(null)).await;
    }
    wait_for("events are delivered", async || receiver.received().len() > 20).await;
    for one in receiver.received() {
        shop.answers.push((format!("event {}", one.path), format!("{:?}{}", one.headers, one.body)));
    }
    let all = shop.call(Method::GET, "/channels?perPage=100", json!(null)).await.expect(200);
    for one in all["data"].as_array().expect("channels").iter().take(3) {
        shop.call(Method::DELETE, &format!("/channels/{}?force=true", text_of(&one["id"])), json!(null)).await;
    }
    shop.call(Method::DELETE, &hook, json!(null)).await;
}

/// The same accounts with other secrets.
fn disguise_again(config: &mut Value, secrets: &mut Vec<Secret>) {
    let Some(settings) = config.as_object_mut() else { return };
    for (name, value) in settings {
        if let Some(text) = value.as_str().filter(|text| text.contains("-secret-")) {
            let renewed = format!("{text}-renewed");
            secrets.push(hidden(name, renewed.rsplit(':').next().expect("a part")));
            *value = renewed.into();
        }
    }
}

/// Links phones by codes, through simulated phones and through all servers, and an account that signs in.
async fn phones(
    shop: &mut Witness,
    acme: &PartnerClient,
    secrets: &mut Vec<Secret>,
    (waha, evolution, unipile): (&Waha, &Evolution, &Unipile),
) {
    let passing = |name: &str, text: &str| {
        let shown = secret(name, text, |asked| asked.contains("/qr-code"));
        Secret { is_passing: true, ..shown }
    };
    let scanned = json!({ "name": "x", "type": "whatsapp", "config": {} });
    let scanned = text_of(&shop.post("/channels", scanned).await["data"]["id"]);
    shop.post(&format!("/channels/{scanned}/activate"), json!(null)).await;
    let code = shop.call(Method::GET, &format!("/channels/{scanned}/qr-code"), json!(null)).await.expect(200);
    let code = text_of(&code["data"]["qr"]);
    secrets.push(passing("simulated code", &code));
    acme.scan(&code, "+15550003333").await.expect(200);
    let servers = [("waha", "15550004444"), ("evolution", "15550005555"), ("unipile", "15550006666")];
    for (connector, digits) in servers {
        let body = json!({ "name": connector, "type": "whatsapp", "config": { "connector": connector } });
        let made = shop.post("/channels", body).await["data"].clone();
        secrets.push(of_address(&made));
        let path = format!("/channels/{}", text_of(&made["id"]));
        shop.post(&format!("{path}/test"), json!(null)).await;
        shop.post(&format!("{path}/activate"), json!(null)).await;
        let code = match connector {
            "waha" => waha.show_code(&waha.newest()).await,
            "evolution" => evolution.show_code(&evolution.newest()).await,
            _ => unipile.account(&unipile.newest()).expect("an account").code,
        };
        secrets.push(passing("code of a server", &code));
        shop.call(Method::GET, &format!("{path}/qr-code"), json!(null)).await;
        shop.timely(Method::GET, &format!("{path}/qr-code"), json!(null)).await;
        match connector {
            "waha" => {
                let hook = waha.hook(&waha.newest());
                secrets.push(hidden("secret of callbacks", &text_of(&hook["hmac"]["key"])));
                waha.link(&waha.newest(), digits).await;
            }
            "evolution" => {
                let hook = evolution.hook(&evolution.newest());
                secrets.push(hidden("secret of callbacks", &text_of(&hook["headers"]["jwt_key"])));
                evolution.link(&evolution.newest(), digits).await;
            }
            _ => {
                let hook = unipile.webhooks().remove(0);
                let headers = hook["headers"].as_array().expect("headers");
                let proof = headers.iter().find(|header| header["key"] == "Unipile-Auth").expect("a proof");
                secrets.push(hidden("secret of callbacks", &text_of(&proof["value"])));
                unipile.link(&unipile.newest(), digits).await;
            }
        }
        let (http, url, token) = (shop.http.clone(), format!("{}/v1{path}", shop.base), shop.token.clone());
        let is_active = async || {
            let shown = Answer::of(http.get(&url).bearer_auth(&token)).await.json();
            shown["data"]["attributes"]["status"] == "active"
        };
        wait_for("it is linked", is_active).await;
        shop.call(Method::GET, &path, json!(null)).await;
        shop.post(&format!("{path}/test"), json!(null)).await;
    }
    let login = json!({ "connector": "unipile", "username": "my_brand", "password": unipile::PASSWORD });
    let made = json!({ "name": "signed in", "type": "instagram", "config": login });
    let made = shop.post("/channels", made).await["data"].clone();
    secrets.push(of_address(&made));
    shop.post(&format!("/channels/{}/activate", text_of(&made["id"])), json!(null)).await;
    // What opens a server is not told by what it answers either.
    waha.refuse_key(true);
    let all = shop.call(Method::GET, "/channels?search=waha", json!(null)).await.expect(200);
    let id = text_of(&all["data"][0]["id"]);
    shop.post(&format!("/channels/{id}/test"), json!(null)).await;
}

/// Looks for every secret everywhere.
fn look(folder: &std::path::Path, shop: &Witness, secrets: &[Secret]) {
    assert!(secrets.len() > 30 && shop.answers.len() > 100, "{} {}", secrets.len(), shop.answers.len());
    for Secret { name, text, is_shown_by, .. } in secrets {
        for (asked, answer) in &shop.answers {
            assert!(is_shown_by(asked) || !answer.contains(text.as_str()), "{name} in the answer to {asked}");
        }
    }
    let mut looked_at = 0;
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            continue;
        }
        looked_at += 1;
        let content = fs::read(&path).expect("a file");
        let is_log = path.ends_with("log");
        for Secret { name, text, is_passing, .. } in secrets {
            let holds = content.windows(text.len()).any(|window| window == text.as_bytes());
            assert!(!holds || (*is_passing && !is_log), "{name} in {}", path.display());
        }
    }
    assert!(looked_at >= 3, "the log, the key and the database");
}
