//! One link of one user, and a browser that has not opened it yet.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{PartnerClient, Setup, TestApp, browser::Browser, page, tools};

pub(super) struct Scene {
    pub(super) app: TestApp,
    pub(super) acme: PartnerClient,
    pub(super) workspace: String,
    pub(super) user: i64,
    pub(super) url: String,
    pub(super) browser: Browser,
}

impl Scene {
    /// With the clock set by hand.
    pub(super) async fn set() -> Self {
        Self::of(TestApp::start().await).await
    }

    /// With the system's clock and a worker.
    pub(super) async fn live() -> Self {
        Self::of(Setup::live().start().await).await
    }

    async fn of(app: TestApp) -> Self {
        let acme = app.partner("acme").await;
        let workspace = acme.workspace("Bakery", 4).await;
        let user = acme.users(&workspace, 1).await[0];
        let url = acme.link(&workspace, user).await;
        Self { app, acme, workspace, user, url, browser: Browser::start().await }
    }

    /// Opens the page and waits for its code.
    pub(super) async fn show_code(&self) -> String {
        self.browser.open(&self.url).await;
        self.until("awaiting_scan").await;
        self.code().await
    }

    /// Waits until the page is in this state.
    pub(super) async fn until(&self, state: &str) {
        self.browser.until(&format!("document.getElementById('onboarding').dataset.state === '{state}'")).await;
    }

    /// What the page's QR code says.
    pub(super) async fn code(&self) -> String {
        let image = self.browser.until("document.getElementById('qr').getAttribute('src')").await;
        page::read_qr(image.as_str().expect("an address"))
    }

    /// Waits until the page's QR code is another one; what it says.
    pub(super) async fn code_after(&self, code: &str) -> String {
        for _ in 0..200 {
            let next = self.code().await;
            if next != code {
                return next;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the code was not replaced");
    }

    /// What an outsider reads from a picture of the page.
    pub(super) async fn code_on_screen(&self) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("page.png");
        self.browser.picture(&path).await;
        tools::zbar(&path)
    }

    /// The text that a person sees.
    pub(super) async fn text(&self) -> String {
        self.browser.run("return document.body.innerText").await.as_str().expect("text").to_owned()
    }

    /// What was last said to who does not see.
    pub(super) async fn announcement(&self) -> Value {
        self.browser.run("return document.querySelector('[role=status][aria-live=polite]').textContent").await
    }

    pub(super) async fn scan(&self, code: &str, phone: &str) {
        self.acme.scan(code, phone).await.expect(200);
    }

    pub(super) async fn revoke(&self) {
        let path = format!("/workspaces/{}/users/{}/qr", self.workspace, self.user);
        assert_eq!(self.acme.delete(&path).await.expect(200)["revoked"], json!(true));
    }

    /// Lets all codes of an attempt run out.
    pub(super) async fn run_out(&self) {
        for _ in 0..5 {
            self.app.advance(20).await;
        }
    }

    /// Nothing was against the policy, and no script broke.
    pub(super) async fn expect_quiet_console(&self) {
        assert_eq!(self.browser.complaints().await, Vec::<Value>::new());
    }
}
