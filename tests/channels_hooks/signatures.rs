//! Both signatures, checked by programs that are not ours.

use super::*;
use crate::support::tools::python;

/// What a receiver does with `X-Linktor-Signature`, with Python's own library.
const LINKTOR: &str = "
import hashlib, hmac, json, sys
told = json.loads(sys.argv[1])
signed = told['headers']['x-linktor-timestamp'] + '.' + told['body']
mac = hmac.new(told['key'].encode(), signed.encode(), hashlib.sha256).hexdigest()
print('verified' if hmac.compare_digest('sha256=' + mac, told['headers']['x-linktor-signature']) else 'refused')
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

fn verdict(program: &str, told: &Received, key: &str, body: &str) -> String {
    python(program, &[&json!({ "key": key, "headers": told.headers, "body": body }).to_string()])
}

#[tokio::test]
async fn requests_are_signed_in_both_manners() {
    let app = Setup::real_time().configured(|config| config.allow_private_targets = true).start().await;
    let shop = Shop::open(&app).await;
    let receiver = Receiver::start().await;
    let (id, secret) = hook(&shop, &receiver, json!(["channel.created"])).await;
    shop.channel("telegram", json!({ "botToken": "1:a" })).await;
    app.run_jobs().await;
    let one = receiver.only();
    assert_eq!(one.header("x-linktor-event"), "channel.created");
    assert_eq!(one.header("x-linktor-timestamp"), one.header("webhook-timestamp"));
    assert_eq!(one.header("content-type"), "application/json");
    let log = shop.get(&format!("/webhooks/{id}/deliveries")).await.expect(200);
    assert_eq!(log["data"][0]["id"], one.header("x-linktor-delivery-id"));
    assert_eq!(log["data"][0]["payload"], json!(one.body));
    for program in [LINKTOR, STANDARD] {
        assert_eq!(verdict(program, &one, &secret, &one.body), "verified");
        assert_eq!(verdict(program, &one, &secret, &format!("{} ", one.body)), "refused");
        assert_eq!(verdict(program, &one, "whsec_AAAA", &one.body), "refused");
    }
    receiver.forget();
    let rotated = shop.post(&format!("/webhooks/{id}/rotate-secret"), json!(null)).await.expect(200);
    let newest = rotated["data"]["attributes"]["secret"].as_str().expect("a secret").to_owned();
    assert_ne!(newest, secret);
    shop.post(&format!("/webhooks/{id}/test"), json!(null)).await.expect(200);
    let one = receiver.only();
    assert_eq!(verdict(LINKTOR, &one, &newest, &one.body), "verified");
    assert_eq!(verdict(LINKTOR, &one, &secret, &one.body), "refused");
    for key in [&newest, &secret] {
        assert_eq!(verdict(STANDARD, &one, key, &one.body), "verified", "both are good for a day");
    }
}

/// The vectors of `contracts/channels.md` part E, with the same programs.
#[test]
fn the_programs_agree_with_the_vectors() {
    let headers = json!({
        "x-linktor-timestamp": "1700000000",
        "x-linktor-signature": "sha256=5618156c98e72a18fa973b562ff44de2eca640beaa2b8e040aab1e5e062859e8",
    });
    let told = json!({ "key": "whsec_test", "headers": headers, "body": "{\"event\":\"message.received\"}" });
    assert_eq!(python(LINKTOR, &[&told.to_string()]), "verified");
}
