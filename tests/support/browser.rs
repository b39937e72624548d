//! A headless Chromium of a test's own, driven through chromedriver.
//!
//! Nothing here waits for a fixed time: [`Browser::until`] looks again until something is so, and gives up with what
//! the page shows instead.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use fantoccini::{
    Client, ClientBuilder,
    actions::{InputSource, KeyAction, KeyActions},
    elements::Element,
    wd::WebDriverCompatibleCommand,
};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::{Method, Url};
use serde_json::{Value, json};

use super::tools::needed;

const LOOK_EVERY: Duration = Duration::from_millis(50);
const MOST_LOOKS: usize = 300;
const FLAGS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--hide-scrollbars",
];

/// What the browser is told about the screen and the person in front of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) scheme: &'static str,
}

/// One browser with one window.
pub(crate) struct Browser {
    client: Client,
    _driver: Driver,
}

impl Browser {
    pub(crate) async fn start() -> Self {
        let driver = Driver::start();
        let profile = format!("--user-data-dir={}", driver.profile.path().display());
        let flags: Vec<&str> = FLAGS.into_iter().chain([profile.as_str()]).collect();
        let capabilities = json!({
            "goog:chromeOptions": { "args": flags },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities.as_object().expect("an object").clone())
            .connect(&format!("http://127.0.0.1:{}", driver.port))
            .await
            .expect("a browser");
        Self { client, _driver: driver }
    }

    pub(crate) async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// What a function body returns in the page.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.run_with(script, &[]).await
    }

    pub(crate) async fn run_with(&self, script: &str, arguments: &[Value]) -> Value {
        self.client.execute(script, arguments.to_vec()).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Waits until an expression is true in the page; what it is then.
    pub(crate) async fn until(&self, expression: &str) -> Value {
        for _ in 0..MOST_LOOKS {
            let value = self.run(&format!("return ({expression}) || null")).await;
            if !value.is_null() {
                return value;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let shown = self.run("return document.documentElement.outerHTML").await;
        panic!("it never came true: {expression}\n{shown}");
    }

    /// Clicks what a person sees at the middle of an element.
    pub(crate) async fn click(&self, selector: &str) {
        let found = self.client.find(fantoccini::Locator::Css(selector)).await;
        found.unwrap_or_else(|error| panic!("{selector}: {error}")).click().await.expect("a click");
    }

    /// Presses keys one after the other, wherever the focus is.
    pub(crate) async fn press(&self, keys: &str) {
        let keys = keys.chars().fold(KeyActions::new("keyboard".to_owned()), |actions, value| {
            actions.then(KeyAction::Down { value }).then(KeyAction::Up { value })
        });
        self.client.perform_actions(keys).await.expect("keys");
    }

    /// Goes into the first frame; scripts run there from then on.
    pub(crate) async fn enter_frame(&self) {
        self.client.enter_frame(0).await.expect("a frame");
    }

    /// Goes into the frame that a function body returns, wherever in the page that is.
    pub(crate) async fn enter_frame_of(&self, script: &str) {
        let found = self.run(script).await;
        let reference = found.as_object().and_then(|frame| frame.values().next()).and_then(Value::as_str);
        let reference = reference.unwrap_or_else(|| panic!("{script}: {found}")).to_owned();
        Element::from_element_id(self.client.clone(), reference.into()).enter_frame().await.expect("a frame");
    }

    pub(crate) async fn leave_frame(&self) {
        self.client.enter_parent_frame().await.expect("a frame");
    }

    pub(crate) async fn look(&self, look: Look) {
        let size = json!({ "width": look.width, "height": look.height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": look.scheme }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// Writes a picture of the whole page, however long it is.
    pub(crate) async fn picture(&self, path: &Path) {
        let shot = self.devtools("Page.captureScreenshot", json!({ "captureBeyondViewport": true })).await;
        let bytes = BASE64_STANDARD.decode(shot["data"].as_str().expect("a picture")).expect("base64");
        std::fs::write(path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// A command of the browser's own protocol.
    pub(crate) async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.vendor("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    /// What the console has said since it was last asked: broken policies and scripts. Answers that are no success
    /// are left out, the pages expect some.
    pub(crate) async fn complaints(&self) -> Vec<Value> {
        let entries = self.vendor("se/log", json!({ "type": "browser" })).await;
        let mut entries = entries.as_array().expect("entries").clone();
        entries.retain(|entry| entry["source"] != "network");
        entries
    }

    async fn vendor(&self, path: &'static str, body: Value) -> Value {
        let told = format!("{path} {body}");
        self.client.issue_cmd(Vendor { path, body }).await.unwrap_or_else(|error| panic!("{told}: {error}"))
    }
}

/// A command that chromedriver adds to the standard.
#[derive(Debug)]
struct Vendor {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Vendor {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, <Url as std::str::FromStr>::Err> {
        base.join(&format!("session/{}/{}", session.expect("a session"), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

/// The chromedriver process and what its browser writes.
struct Driver {
    process: Child,
    port: u16,
    profile: tempfile::TempDir,
    // It is told by a signal that nobody reads when this is closed, and dies of it.
    _output: BufReader<ChildStdout>,
}

impl Driver {
    fn start() -> Self {
        let program = needed("QMTEST_CHROMEDRIVER");
        let mut process = Command::new(&program)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        let mut output = BufReader::new(process.stdout.take().expect("its output"));
        let mut line = String::new();
        let port = loop {
            line.clear();
            assert_ne!(output.read_line(&mut line).expect("a line"), 0, "{program} ended before it was ready");
            let told = line.trim().trim_end_matches('.').rsplit_once("successfully on port ");
            if let Some(port) = told.and_then(|(_, port)| port.parse().ok()) {
                break port;
            }
        };
        Self { process, port, profile: tempfile::tempdir().expect("a folder"), _output: output }
    }

    /// Asks it to end the browser and itself; killed outright it would leave the browser behind.
    fn shut_down(&self) -> std::io::Result<()> {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port))?;
        connection.set_read_timeout(Some(Duration::from_secs(5)))?;
        connection.write_all(b"GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        connection.read_to_end(&mut Vec::new()).map(|_| ())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.shut_down();
        for _ in 0..100 {
            if self.process.try_wait().is_ok_and(|status| status.is_some()) {
                return;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
