//! The second part of the story: messages, what they cost, and what the partner hears of it.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Method;
use serde_json::{Value, json};

use crate::cli::demo::{
    client::Who,
    receiver::Receiver,
    story::{API, PUBLIC, Story, expect},
};

const OPERATOR: &str = "/operator/v1";
const TO: &str = "+15550003333";
/// A number that the simulated network does not know.
const NOBODY: &str = "+15550000404";
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Story<'_> {
    /// Sends until the quota is used up, has it topped up, and listens to what the partner is told.
    pub(super) async fn send(&mut self, workspace: &str, token: &str, operator: &str) -> Option<()> {
        let receiver = self.listen().await?;
        let uid = self.message(token, "A message is accepted", TO).await?;
        self.until("It is sent, delivered and read", token, &uid, "Read").await?;
        let failing = self.message(token, "One to a number that is not on the network", NOBODY).await?;
        self.until("It fails", token, &failing, "Failed").await?;
        let quota = format!("{PUBLIC}/workspace/quotas");
        let shown = self.get("Its credit is back", Who::Token(token), &quota, 200, |body| {
            expect(&body["data"]["messaging_quota"]["used"], &json!(1))
        });
        let total = shown.await?["data"]["messaging_quota"]["total"].as_i64()?;
        self.send_up_to(token, total * 9 / 10 - 1).await?;
        self.told(&receiver, "The partner hears that 90 % are used", "workspace:quota_near_full:messaging").await?;
        self.send_up_to(token, total - total * 9 / 10).await?;
        self.told(&receiver, "and that 100 % are", "workspace:quota_full:messaging").await?;
        let more = json!({ "phone": TO, "text": "one too many" });
        let path = format!("{PUBLIC}/messages");
        self.ask("One too many is refused", Who::Token(token), Method::POST, &path, Some(&more), 403, |body| {
            expect(&body["error_code"], &json!("quota_exceeded"))
        })
        .await?;
        let path = format!("{OPERATOR}/workspaces/{}/{workspace}/credits", self.client.partner_id());
        let top_up = json!({ "kind": "grant", "credits": 100, "note": "demo" });
        self.ask("The operator tops up", Who::Token(operator), Method::POST, &path, Some(&top_up), 200, |body| {
            expect(&body["remaining_balance"], &json!(100))
        })
        .await?;
        self.told(&receiver, "The partner hears that it has recovered", "workspace:quota_recovered:messaging").await?;
        self.message(token, "and sending goes on", TO).await?;
        Some(())
    }

    /// The partner's own receiver, set and tried out.
    async fn listen(&mut self) -> Option<Receiver> {
        let (partner_id, secret) = (self.client.partner_id().to_owned(), self.client.secret().clone());
        let receiver = Receiver::start(partner_id, secret, self.report.clock()).await.ok()?;
        let url = json!({ "url": receiver.url });
        let path = format!("{API}/webhook");
        self.ask("The partner sets its webhook", Who::Partner, Method::PUT, &path, Some(&url), 200, |body| {
            expect(&body["url"], &url["url"])
        })
        .await?;
        let event = json!({ "event_type": "api_token:rotated" });
        self.post("and tries it out", "/webhook/test", &event, 201, |_| Ok(())).await?;
        self.told(&receiver, "The test event comes, signed", "api_token:rotated").await?;
        Some(receiver)
    }

    async fn told(&mut self, receiver: &Receiver, title: &'static str, event_type: &str) -> Option<()> {
        let watch = self.report.stopwatch();
        let told = receiver.wait_for(event_type, |_| true).await;
        let answered = told.as_ref().map_or_else(Clone::clone, Value::to_string);
        let verdict = told.map(|_| ());
        self.report.step(
            title,
            "the receiver checks X-TL-Signature and webhook-signature",
            &answered,
            watch.elapsed(),
            &verdict,
        );
        verdict.ok()
    }

    /// Sends a message; its uid.
    async fn message(&mut self, token: &str, title: &'static str, phone: &str) -> Option<String> {
        let body = json!({ "phone": phone, "text": "Your bread is ready." });
        let path = format!("{PUBLIC}/messages");
        let accepted = self.ask(title, Who::Token(token), Method::POST, &path, Some(&body), 200, |_| Ok(()));
        Some(accepted.await?["data"]["message_uid"].as_str()?.to_owned())
    }

    /// Waits until a message has come so far.
    pub(super) async fn until(&mut self, title: &'static str, token: &str, uid: &str, status: &str) -> Option<()> {
        let watch = self.report.stopwatch();
        let path = format!("{PUBLIC}/messages/{uid}/status_history");
        let mut shown = Value::Null;
        let coming = async {
            loop {
                let answer = self.client.send(Who::Token(token), Method::GET, &path, None).await;
                shown = answer.map_or(Value::Null, |answer| answer.body["data"].clone());
                let steps = shown.as_array().map_or(&[][..], Vec::as_slice);
                if steps.iter().any(|step| step["status"] == status) {
                    return;
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let verdict = tokio::time::timeout(PATIENCE, coming).await.map_err(|_| format!("it never was {status}"));
        self.report.step(title, &format!("GET {path}"), &shown.to_string(), watch.elapsed(), &verdict);
        verdict.ok()
    }

    /// Sends so many messages, and shows how far it has come.
    async fn send_up_to(&mut self, token: &str, count: i64) -> Option<()> {
        let count = u64::try_from(count).ok()?;
        let watch = self.report.stopwatch();
        let style = ProgressStyle::with_template("    {bar:40} {pos}/{len} messages, {per_sec}").ok()?;
        let bar = ProgressBar::new(count).with_style(style);
        let mut verdict = Ok(());
        for number in 0..count {
            let body = json!({ "phone": TO, "text": format!("Message {number}") });
            let path = format!("{PUBLIC}/messages");
            match self.client.send(Who::Token(token), Method::POST, &path, Some(&body)).await {
                Ok(answer) if answer.status.is_success() => bar.inc(1),
                Ok(answer) => verdict = Err(format!("{}: {}", answer.status, answer.body)),
                Err(error) => verdict = Err(error),
            }
        }
        bar.finish_and_clear();
        let asked = format!("POST {PUBLIC}/messages, {count} times");
        let accepted = format!("{} accepted", bar.position());
        self.report.step("Many more are sent", &asked, &accepted, watch.elapsed(), &verdict);
        verdict.ok()
    }
}
