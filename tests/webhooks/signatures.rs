//! Signatures, checked by programs that are not ours.

use base64::{Engine, prelude::BASE64_STANDARD};
use quartermaster::{caller::Origin, partner::rotate_secret};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::{
    support::{
        Answer, Setup, TestApp,
        receiver::{Received, Receiver},
        tools::python,
    },
    webhooks::{ROTATED, lenient, partner_at, start, try_out},
};

/// What a receiver does with `X-TL-Signature`, with PyJWT.
const JWT: &str = "
import hashlib, json, sys, jwt
told = json.loads(sys.argv[1])
try:
    claims = jwt.decode(told['jwt'], told['secret'], algorithms=['HS256'], options={'require': ['nbf', 'exp']})
    assert claims['partner_id'] == told['partner']
    assert claims['body_sha256'] == hashlib.sha256(told['body'].encode()).hexdigest()
    print('verified', claims['exp'] - claims['nbf'])
except (jwt.InvalidTokenError, AssertionError):
    print('refused')
";

/// What a receiver does with `webhook-signature`, with the library of Standard Webhooks.
const STANDARD: &str = "
import json, sys
from standardwebhooks import Webhook, WebhookVerificationError
told = json.loads(sys.argv[1])
try:
    Webhook(told['key']).verify(told['body'], told['headers'])
    print('verified')
except WebhookVerificationError:
    print('refused')
";

fn jwt_verdict(told: &Received, secret: &str, body: &str) -> String {
    let argument = json!({
        "jwt": told.header("x-tl-signature"), "secret": secret, "partner": told.header("x-tl-partner-id"), "body": body,
    });
    python(JWT, &[&argument.to_string()])
}

fn standard_verdict(told: &Received, secret: &str, body: &str) -> String {
    let argument = json!({
        "key": format!("whsec_{}", BASE64_STANDARD.encode(secret)), "headers": told.headers, "body": body,
    });
    python(STANDARD, &[&argument.to_string()])
}

async fn start_now() -> TestApp {
    Setup::real_time().configured(lenient).start().await
}

#[tokio::test]
async fn signatures_verify_with_the_libraries_of_others_and_cover_the_body() {
    let app = start_now().await;
    let receiver = Receiver::start().await;
    let acme = partner_at(&app, "acme", &receiver).await;
    try_out(&acme, "whatsapp_account:disconnected").await;
    app.run_jobs().await;
    let told = receiver.only();
    assert_eq!(told.path, "/hook");
    assert_eq!(told.header("content-type"), "application/json");
    assert_eq!(told.header("user-agent"), concat!("Quartermaster/", env!("CARGO_PKG_VERSION")));
    assert_eq!(told.header("x-tl-partner-id"), "acme");
    assert_eq!(jwt_verdict(&told, &acme.secret, &told.body), "verified 360");
    assert_eq!(standard_verdict(&told, &acme.secret, &told.body), "verified");
    let changed = told.body.replace("9002", "9003");
    assert_ne!(changed, told.body);
    for (secret, body) in [(acme.secret.as_str(), changed.as_str()), ("qmps_another", &told.body)] {
        assert_eq!(jwt_verdict(&told, secret, body), "refused");
        assert_eq!(standard_verdict(&told, secret, body), "refused");
    }
}

#[tokio::test]
async fn while_a_rotation_overlaps_receivers_with_either_secret_verify() {
    let app = start_now().await;
    let receiver = Receiver::start().await;
    let acme = partner_at(&app, "acme", &receiver).await;
    let id = entity::id::PartnerId::parse("acme").expect("an id");
    let rotated = rotate_secret::rotate(&app.app, &Origin::operator(), &id, 3600).await.expect("a rotation");
    let new = rotated.secret.expose_secret();
    try_out(&acme, ROTATED).await;
    app.run_jobs().await;
    let told = receiver.only();
    assert_eq!(jwt_verdict(&told, &acme.secret, &told.body), "verified 360", "the older one signs");
    assert_eq!(jwt_verdict(&told, new, &told.body), "refused");
    assert_eq!(standard_verdict(&told, &acme.secret, &told.body), "verified");
    assert_eq!(standard_verdict(&told, new, &told.body), "verified");
    receiver.forget();
    rotate_secret::rotate(&app.app, &Origin::operator(), &id, 0).await.expect("a rotation");
    let listed = rotate_secret::rotate(&app.app, &Origin::operator(), &id, 0).await.expect("a rotation");
    let newest = app.client_of("acme", listed.secret.expose_secret());
    try_out(&newest, ROTATED).await;
    app.run_jobs().await;
    let told = receiver.only();
    assert_eq!(jwt_verdict(&told, &newest.secret, &told.body), "verified 360");
    assert_eq!(standard_verdict(&told, new, &told.body), "refused", "a secret that has ended signs nothing");
}

#[tokio::test]
async fn a_webhooks_signature_does_not_open_the_partner_api() {
    let app = start().await;
    let receiver = Receiver::start().await;
    let acme = partner_at(&app, "acme", &receiver).await;
    try_out(&acme, ROTATED).await;
    app.run_jobs().await;
    let signature = receiver.only().header("x-tl-signature").to_owned();
    let request = app.http.get(format!("{}/workspaces", acme.base)).bearer_auth(signature);
    Answer::of(request.header("X-TL-Partner-Id", "acme")).await.expect_error(401, "token_decode_error");
}
