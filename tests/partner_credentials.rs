//! Who gets in at the Partner API, with tokens made by PyJWT as well as by hand.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use entity::partner::Status;
use quartermaster::{
    caller::Origin,
    partner::{admin, rotate_secret},
};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::support::{Answer, PartnerClient, Setup, TestApp, tools};

/// Makes each kind of token that a partner, or somebody who is none, might send.
const PYJWT: &str = r#"
import json, sys, time, jwt
from cryptography.hazmat.primitives.asymmetric import rsa
secret, now = sys.argv[1], int(time.time())
def claims(**changes):
    base = {"partner_id": "acme", "nbf": now - 180, "exp": now + 180}
    base.update(changes)
    return {name: value for name, value in base.items() if value is not None}
def sign(payload, key=secret, algorithm="HS256"):
    return jwt.encode(payload, key, algorithm=algorithm)
good = sign(claims())
head, body, signature = good.split(".")
flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
other_body = sign(claims(partner_id="acme", extra=1)).split(".")[1]
rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
print(json.dumps({
    "good": good,
    "with iat": sign(claims(iat=now)),
    "fractions": sign(claims(nbf=now - 180.5, exp=now + 179.25)),
    "bent signature": ".".join([head, body, flipped]),
    "tampered body": ".".join([head, other_body, signature]),
    "another secret": sign(claims(), key="another secret that is long enough too"),
    "expired": sign(claims(nbf=now - 600, exp=now - 300)),
    "early": sign(claims(nbf=now + 300, exp=now + 600)),
    "day-long": sign(claims(nbf=now - 180, exp=now + 86400)),
    "other partner": sign(claims(partner_id="other")),
    "unknown partner": sign(claims(partner_id="nobody")),
    "no partner": sign(claims(partner_id=None)),
    "no nbf": sign(claims(nbf=None)),
    "no exp": sign(claims(exp=None)),
    "alg none": jwt.encode(claims(), None, algorithm="none"),
    "HS512": sign(claims(), algorithm="HS512"),
    "RS256": sign(claims(), key=rsa_key, algorithm="RS256"),
    "webhook": sign(claims(body_sha256="e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")),
}))
"#;

async fn with_token(acme: &PartnerClient, partner: &str, token: &str) -> Answer {
    let url = format!("{}/workspaces", acme.base);
    Answer::of(acme.http.get(url).bearer_auth(token).header("X-TL-Partner-Id", partner)).await
}

#[tokio::test]
async fn tokens_of_an_independent_library_are_told_apart() {
    let app = Setup::live().start().await;
    let (acme, _other) = (app.partner("acme").await, app.partner("other").await);
    let tokens: Value = serde_json::from_str(&tools::python(PYJWT, &[&acme.secret])).expect("tokens");
    let token = |name: &str| tokens[name].as_str().unwrap_or_else(|| panic!("no token {name}")).to_owned();
    for good in ["good", "with iat", "fractions"] {
        with_token(&acme, "acme", &token(good)).await.expect(200);
    }
    for (name, header, word) in [
        ("bent signature", "acme", "invalid_signature"),
        ("tampered body", "acme", "invalid_signature"),
        ("another secret", "acme", "invalid_signature"),
        ("good", "other", "invalid_signature"),
        ("other partner", "acme", "invalid_signature"),
        ("other partner", "other", "invalid_signature"),
        ("unknown partner", "nobody", "partner_not_found"),
        ("expired", "acme", "token_not_active"),
        ("early", "acme", "token_not_active"),
        ("day-long", "acme", "timestamp_out_of_range"),
        ("no partner", "acme", "missing_claim"),
        ("no nbf", "acme", "missing_claim"),
        ("no exp", "acme", "missing_claim"),
        ("alg none", "acme", "token_decode_error"),
        ("HS512", "acme", "token_decode_error"),
        ("RS256", "acme", "token_decode_error"),
        ("webhook", "acme", "token_decode_error"),
    ] {
        let answer = with_token(&acme, header, &token(name)).await;
        assert_eq!(answer.json()["error"], word, "{name} for {header}");
        answer.expect_error(401, word);
    }
}

#[tokio::test]
async fn missing_headers_and_nonsense_are_told_apart() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let url = format!("{}/workspaces", acme.base);
    let bare = || acme.http.request(Method::GET, &url);
    Answer::of(bare()).await.expect_error(401, "missing_header");
    Answer::of(bare().header("X-TL-Partner-Id", "acme")).await.expect_error(401, "missing_header");
    Answer::of(bare().bearer_auth(acme.jwt())).await.expect_error(401, "missing_header");
    let basic = bare().basic_auth("acme", Some("x")).header("X-TL-Partner-Id", "acme");
    Answer::of(basic).await.expect_error(401, "missing_header");
    let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let null = format!("{}.{}.x", part(r#"{"alg":"HS256"}"#), part("null"));
    for nonsense in ["x", "a.b", "a.b.c", "a.b.c.d", "e30.e30.", &"x".repeat(7_000), &null] {
        with_token(&acme, "acme", nonsense).await.expect_error(401, "token_decode_error");
    }
    let hostile = acme.sign(&json!({ "partner_id": "acme' OR 1=1 --", "nbf": 1, "exp": 2 }));
    with_token(&acme, "acme' OR 1=1 --", &hostile).await.expect_error(401, "partner_not_found");
}

#[tokio::test]
async fn credentials_come_before_everything_else() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let url = format!("{}/workspaces", acme.base);
    let broken = acme.http.post(url).header("Content-Type", "application/json").body("{");
    Answer::of(broken).await.expect_error(401, "missing_header");
}

#[tokio::test]
async fn a_disabled_partner_is_told_so_only_after_a_valid_signature() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 1).await;
    let token = acme.get(&format!("/workspaces/{workspace}/api-token")).await.expect(200)["token"].clone();
    let token = token.as_str().expect("a token");
    let id = entity::id::PartnerId::parse("acme").expect("an id");
    admin::set_status(&app.app, &Origin::operator(), &id, Status::Disabled).await.expect("disabled");
    acme.get("/workspaces").await.expect_error(403, "partner_not_active");
    let forged = app.client_of("acme", "not the secret");
    forged.get("/workspaces").await.expect_error(401, "invalid_signature");
    assert_eq!(app.token(token).get("/workspace").await.expect(403)["error_code"], "permission_denied");
    admin::set_status(&app.app, &Origin::operator(), &id, Status::Active).await.expect("enabled");
    acme.get("/workspaces").await.expect(200);
    app.token(token).get("/workspace").await.expect(200);
}

#[tokio::test]
async fn two_secrets_verify_while_a_rotation_overlaps() {
    let app = TestApp::start().await;
    let old = app.partner("acme").await;
    let id = entity::id::PartnerId::parse("acme").expect("an id");
    let rotated = rotate_secret::rotate(&app.app, &Origin::operator(), &id, 3600).await.expect("a rotation");
    let new = app.client_of("acme", rotated.secret.expose_secret());
    assert_ne!(old.secret, new.secret);
    old.get("/workspaces").await.expect(200);
    new.get("/workspaces").await.expect(200);
    app.clock.advance(std::time::Duration::from_secs(3600));
    old.get("/workspaces").await.expect_error(401, "invalid_signature");
    new.get("/workspaces").await.expect(200);
    let third = rotate_secret::rotate(&app.app, &Origin::operator(), &id, 3600).await.expect("a rotation");
    let third = app.client_of("acme", third.secret.expose_secret());
    let fourth = rotate_secret::rotate(&app.app, &Origin::operator(), &id, 3600).await.expect("a rotation");
    app.client_of("acme", fourth.secret.expose_secret()).get("/workspaces").await.expect(200);
    third.get("/workspaces").await.expect(200);
    new.get("/workspaces").await.expect_error(401, "invalid_signature");
    let new = app.client_of("acme", fourth.secret.expose_secret());
    let last = rotate_secret::rotate(&app.app, &Origin::operator(), &id, 0).await.expect("a rotation");
    new.get("/workspaces").await.expect_error(401, "invalid_signature");
    app.client_of("acme", last.secret.expose_secret()).get("/workspaces").await.expect(200);
}
