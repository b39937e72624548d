//! The widget on a customer's website: where it may be, what a visitor sees and hears of, and how it is used without a
//! mouse and without eyes.

use std::path::PathBuf;

use entity::message::Status;
use hmac_sha256::HMAC;
use serde_json::{Value, json};

use super::{
    access::{ENTER, FOCUS, LEAST_CONTRAST, TAB},
    website::{BUTTON, Visit, Website},
};
use crate::support::{TestApp, browser::Look, upload::png};

const ESCAPE: &str = "\u{e00c}";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn a_visitor_writes_is_answered_and_finds_it_again() {
    let app = TestApp::start().await;
    let visit = Visit::set(&app, json!({ "theme": { "title": "Bakery", "welcomeMessage": "How can we help?" } })).await;
    visit.arrive().await;
    visit.open_chat().await;
    visit.sees("How can we help?").await;
    visit.types("Is there any <b>bread</b> left?").await;
    visit.sees("Is there any <b>bread</b> left?").await;
    visit.browser.until("document.querySelectorAll('#messages time').length === 1").await;
    assert_eq!(visit.browser.run("return document.querySelectorAll('#messages b').length").await, 0, "text is text");
    let held = visit.shop.chats().await[0].clone();
    let id = visit.shop.answer(&held, "Two loaves, <script>alert(1)</script>").await;
    visit.sees("Two loaves, <script>alert(1)</script>").await;
    for _ in 0..100 {
        app.run_jobs().await;
        if app.message(id).await.status == Status::Read {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(app.message(id).await.status, Status::Read, "it was in front of the visitor");
    visit.browser.leave_frame().await;
    visit.arrive().await;
    visit.open_chat().await;
    visit.sees("Two loaves").await;
    let order = "return [...document.querySelectorAll('#messages p')].map((line) => line.textContent)";
    let lines = visit.browser.run(order).await;
    let expected = ["How can we help?", "Is there any <b>bread</b> left?", "Two loaves, <script>alert(1)</script>"];
    assert_eq!(lines, json!(expected), "once each, in their order");
    assert_eq!(visit.shop.chats().await.len(), 1, "a reload is no other visitor");
    assert_eq!(visit.browser.complaints().await, Vec::<Value>::new());
}

#[tokio::test]
async fn another_website_gets_nothing() {
    let app = TestApp::start().await;
    let visit = Visit::set(&app, json!({})).await;
    let other = Website::start().await;
    visit.browser.open(&other.with(&app, &visit.token, &[])).await;
    let complaints = async || {
        for _ in 0..100 {
            let complaints = visit.browser.complaints().await;
            if !complaints.is_empty() {
                return complaints;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the browser did not complain");
    };
    let told = complaints().await;
    assert!(told.iter().any(|entry| entry.to_string().contains("CORS")), "{told:?}");
    assert_eq!(visit.browser.run(&format!("return {BUTTON} ?? null")).await, json!(null), "no button is shown");
    // A website that calls for itself reads nothing, and a frame that it makes for itself stays empty.
    let call = "const [api, done] = arguments; window.answers = [];
        const calls = [['GET', '/config'], ['POST', '/session'], ['GET', '/messages'], ['GET', '/events']];
        Promise.all(calls.map(([method, path]) => fetch(api + path, { method, headers: { 'Content-Type': 'application/json' },
            body: method === 'POST' ? '{}' : undefined }).then((answer) => answer.text(), (error) => error.name)))
            .then((answers) => { window.answers = answers; });";
    let api = format!("{}/widget/api/{}", app.base, visit.token);
    visit.browser.run_with(call, &[json!(api)]).await;
    let answers = visit.browser.until("window.answers.length && window.answers").await;
    assert_eq!(answers, json!(vec!["TypeError"; 4]));
    let frame =
        "const frame = document.createElement('iframe'); frame.src = arguments[0]; document.body.append(frame);";
    let page = format!("{}/widget/frame/{}?origin={}", app.base, visit.token, visit.website.origin);
    visit.browser.run_with(frame, &[json!(page)]).await;
    let mut told = Vec::new();
    while !told.iter().any(|entry: &Value| entry.to_string().contains("frame-ancestors")) {
        told.extend(complaints().await);
    }
    visit.browser.enter_frame().await;
    assert_eq!(visit.browser.run("return document.URL").await, "chrome-error://chromewebdata/");
}

#[tokio::test]
async fn the_chat_is_used_by_keyboard_alone() {
    let app = TestApp::start().await;
    let visit = Visit::set(&app, json!({ "theme": { "title": "Bakery" } })).await;
    visit.arrive().await;
    let outside = async |expected: Value| {
        let found = "const root = document.activeElement.shadowRoot, element = root.activeElement;
            const style = getComputedStyle(element);
            return [element.localName, element.getAttribute('aria-expanded'), element.getAttribute('aria-label'),
                style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2]";
        assert_eq!(visit.browser.run(found).await, expected);
    };
    visit.browser.press(TAB).await;
    visit.browser.press(TAB).await;
    outside(json!(["button", "false", "Open chat: Bakery", true])).await;
    visit.browser.press(ENTER).await;
    visit.enter().await;
    visit.browser.until("document.activeElement.id === 'text' && document.hasFocus()").await;
    assert_eq!(visit.browser.run(FOCUS).await, json!({ "element": "text", "isMarked": true }));
    visit.browser.press("Hello").await;
    visit.browser.press(ENTER).await;
    visit.sees("Hello").await;
    visit.browser.until("document.querySelectorAll('#messages time').length === 1").await;
    assert_eq!(visit.browser.run("return document.getElementById('text').value").await, "");
    visit.browser.press(TAB).await;
    assert_eq!(visit.browser.run(FOCUS).await, json!({ "element": "button", "isMarked": true }));
    visit.browser.press(ESCAPE).await;
    visit.browser.leave_frame().await;
    visit.browser.until(&format!("{BUTTON}.getAttribute('aria-expanded') === 'false'")).await;
    outside(json!(["button", "false", "Open chat: Bakery", true])).await;
    // An answer to a closed chat is told at its button.
    let held = visit.shop.chats().await[0].clone();
    visit.shop.answer(&held, "Good morning!").await;
    visit.browser.until(&format!("{BUTTON}.getAttribute('aria-label') === 'Open chat: Bakery, 1 unread'")).await;
    visit.browser.press(ENTER).await;
    visit.browser.until(&format!("{BUTTON}.getAttribute('aria-label') === 'Close chat: Bakery'")).await;
    assert_eq!(visit.browser.complaints().await, Vec::<Value>::new());
}

#[tokio::test]
async fn an_address_is_asked_for_where_it_is_needed() {
    let app = TestApp::start().await;
    let visit = Visit::set(&app, json!({ "requireEmail": true })).await;
    visit.arrive().await;
    visit.open_chat().await;
    visit.browser.until("document.activeElement.id === 'email'").await;
    visit.browser.press("ann").await;
    visit.browser.press(ENTER).await;
    let error = "document.getElementById('email-error').checkVisibility() && document.getElementById('email-error').textContent";
    let told = visit.browser.until(error).await;
    assert_eq!(told, "Please enter an e-mail address, such as ann@example.com.");
    assert_eq!(visit.browser.run("return document.getElementById('email').getAttribute('aria-invalid')").await, "true");
    look_at(&visit, "email").await;
    visit.browser.run("document.getElementById('email').focus()").await;
    visit.browser.press("@example.com").await;
    visit.browser.press(ENTER).await;
    visit.browser.until("document.activeElement.id === 'text'").await;
    visit.types("Hello").await;
    visit.browser.until("document.querySelectorAll('#messages time').length === 1").await;
    assert_eq!(visit.shop.chats().await[0]["name"], "ann@example.com");
}

#[tokio::test]
async fn a_known_user_finds_the_conversation_in_any_browser() {
    let app = TestApp::start().await;
    let visit = Visit::set(&app, json!({ "identitySecret": SECRET, "requireIdentity": true })).await;
    let hash: String = HMAC::mac("42", SECRET).iter().map(|byte| format!("{byte:02x}")).collect();
    let known = visit.website.with(&app, &visit.token, &[("user", "42"), ("hash", &hash)]);
    for texts in [1, 2] {
        visit.browser.open(&known).await;
        visit.browser.until(&format!("{BUTTON}?.getAttribute('aria-label')")).await;
        visit.open_chat().await;
        visit.browser.until(&format!("document.querySelectorAll('#messages time').length === {}", texts - 1)).await;
        visit.types(&format!("Text {texts}")).await;
        visit.browser.until(&format!("document.querySelectorAll('#messages time').length === {texts}")).await;
        visit.browser.run("localStorage.clear()").await;
        visit.browser.leave_frame().await;
    }
    assert_eq!(visit.shop.chats().await.len(), 1);
    // Nobody else is let in, and is told so.
    visit.arrive().await;
    visit.open_chat().await;
    visit.browser.until("document.getElementById('notice').textContent.includes('identity')").await;
}

#[tokio::test]
async fn a_visitor_attaches_a_file() {
    let app = TestApp::start().await;
    let visit = Visit::set(&app, json!({})).await;
    visit.arrive().await;
    visit.open_chat().await;
    let attach = "const [name, bytes] = arguments, files = new DataTransfer(), input = document.getElementById('file');
        files.items.add(new File([new Uint8Array(bytes)], name));
        input.files = files.files;
        input.dispatchEvent(new Event('change'));";
    visit.browser.run_with(attach, &[json!("bread.png"), json!(png(3000, 5))]).await;
    visit.browser.until("document.querySelectorAll('#messages time').length === 1").await;
    let link = "const link = document.querySelector('#messages a'); return [link.textContent, link.rel]";
    assert_eq!(visit.browser.run(link).await, json!(["bread.png (3\u{a0}KB)", "noopener noreferrer"]));
    assert_eq!(visit.browser.run("return document.querySelectorAll('#messages li').length").await, 1);
    let held = visit.shop.chats().await[0].clone();
    let messages = visit.shop.token.get(&format!("/chats/{}/messages", held["id"])).await.expect(200);
    assert_eq!(messages["data"]["messages"][0]["attachment_filename"], "bread.png", "{messages}");
    // Its address is good for a quarter of an hour; an old one is renewed when it is followed.
    let first = visit.browser.run("return document.querySelector('#messages a').href").await;
    let fetched = async |url: &Value| {
        let url = url.as_str().expect("an address");
        app.http.get(url).send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(fetched(&first).await, 200);
    app.clock.advance(std::time::Duration::from_secs(16 * 60));
    assert_ne!(fetched(&first).await, 200);
    visit.browser.run("const now = Date.now; Date.now = () => now() + 16 * 60000; window.open = () => null").await;
    visit.browser.click("#messages a").await;
    let renewed =
        "document.querySelector('#messages a').href !== ARGUMENT && document.querySelector('#messages a').href";
    let renewed = visit.browser.until(&renewed.replace("ARGUMENT", &first.to_string())).await;
    assert_eq!(fetched(&renewed).await, 200);
    // What is no picture says why it was not sent.
    visit.browser.run_with(attach, &[json!("bread.exe"), json!(vec![77; 500])]).await;
    visit.browser.until("document.querySelector('.failed small')?.textContent.includes('Not sent: files are')").await;
}

/// What a reader, a screen reader and a narrow screen need; leaves pictures.
async fn look_at(visit: &Visit<'_>, place: &str) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    std::fs::create_dir_all(&folder).expect("a folder");
    for (size, width, height) in [("phone", 375, 640), ("desktop", 1000, 760)] {
        for scheme in ["light", "dark"] {
            visit.browser.look(Look { width, height, scheme }).await;
            visit.browser.picture(&folder.join(format!("widget-{place}-{size}-{scheme}.png"))).await;
            let least = visit.browser.run(LEAST_CONTRAST).await;
            assert!(least["ratio"].as_f64().is_some_and(|ratio| ratio >= 4.5), "{place}, {scheme}: {least}");
            let document = "const root = document.documentElement, log = document.getElementById('log');
                return [root.lang, root.scrollWidth <= innerWidth, document.querySelectorAll('h1').length,
                    log.getAttribute('role'), log.getAttribute('aria-live'), log.getAttribute('aria-label')]";
            assert_eq!(
                visit.browser.run(document).await,
                json!(["en", true, 1, "log", "polite", "Messages"]),
                "{place}"
            );
        }
    }
    let unnamed = "return [...document.querySelectorAll('button, input, textarea, a')].filter((element) =>
        element.checkVisibility() && !(element.getAttribute('aria-label') || element.textContent.trim() ||
        element.labels?.length)).map((element) => element.outerHTML)";
    assert_eq!(visit.browser.run(unnamed).await, json!([]), "{place}");
}

#[tokio::test]
async fn everything_is_readable_named_and_fits() {
    let app = TestApp::start().await;
    let theme = json!({
        "title": "Bakery", "subtitle": "We answer within an hour", "welcomeMessage": "Hi! How can we help?",
        "primaryColor": "#b8004e", "position": "bottom-left", "offlineMessage": "We are back on Monday at 8.",
    });
    let visit = Visit::set(&app, json!({ "theme": theme })).await;
    visit.arrive().await;
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    std::fs::create_dir_all(&folder).expect("a folder");
    visit.browser.look(Look { width: 1000, height: 760, scheme: "light" }).await;
    visit.browser.picture(&folder.join("widget-button.png")).await;
    visit.open_chat().await;
    look_at(&visit, "empty").await;
    for (wish, behaviour) in [("reduce", "auto"), ("no-preference", "smooth")] {
        let features = json!({ "features": [{ "name": "prefers-reduced-motion", "value": wish }] });
        visit.browser.devtools("Emulation.setEmulatedMedia", features).await;
        let scrolls = "return getComputedStyle(document.getElementById('log')).scrollBehavior";
        assert_eq!(visit.browser.run(scrolls).await, behaviour, "{wish}");
    }
    visit.types(&format!("Do you have {}?", "Vollkornsonnenblumenkernbrot".repeat(4))).await;
    visit.browser.until("document.querySelectorAll('#messages time').length === 1").await;
    let held = visit.shop.chats().await[0].clone();
    let picture = visit.shop.token.picture("Our menu of this week.png", &png(20_000, 3)).await;
    let path = format!("/chats/{}/messages", held["id"]);
    let asked = visit.shop.token.get(&path).await.expect(200)["data"]["messages"][0]["uid"].clone();
    let body = json!({ "text": "Of course.\nHere is our menu:", "file_uid": picture, "reply_to": asked });
    visit.shop.token.post(&path, body).await.expect(200);
    app.run_jobs().await;
    visit.sees("Our menu of this week.png (20\u{a0}KB)").await;
    look_at(&visit, "conversation").await;
    visit.browser.leave_frame().await;
    // It fills a phone, where its own button would lie on the field.
    visit.browser.look(Look { width: 375, height: 640, scheme: "light" }).await;
    let covers = format!(
        "const frame = {BUTTON}.parentNode.querySelector('iframe').getBoundingClientRect();
        return [frame.left, frame.top, frame.width, frame.height, getComputedStyle({BUTTON}).display]"
    );
    assert_eq!(visit.browser.run(&covers).await, json!([0, 0, 375, 640, "none"]));
    let id = visit.shop.get("/channels").await.expect(200)["data"][0]["id"].as_str().expect("an id").to_owned();
    visit.shop.post(&format!("/channels/{id}/deactivate"), json!({})).await.expect(200);
    visit.arrive().await;
    visit.open_chat().await;
    visit.browser.until("document.getElementById('offline').checkVisibility()").await;
    assert_eq!(visit.browser.run("return document.getElementById('compose').checkVisibility()").await, false);
    look_at(&visit, "offline").await;
}

#[tokio::test]
async fn what_is_loaded_is_small() {
    let app = TestApp::start().await;
    let visit = Visit::set(&app, json!({})).await;
    visit.arrive().await;
    visit.open_chat().await;
    let sizes = "return performance.getEntriesByType('resource').filter((entry) => /\\.(js|css)$/.test(entry.name))
        .concat(performance.getEntriesByType('navigation')).map((entry) => entry.decodedBodySize)";
    let frame = visit.browser.run(sizes).await;
    let script = app.http.get(format!("{}/widget/widget.js", app.base)).send().await.expect("the script");
    assert_eq!(script.headers()["cross-origin-resource-policy"], "cross-origin");
    let tag = script.headers()["etag"].to_str().expect("a tag").to_owned();
    let script = script.bytes().await.expect("bytes").len();
    let sizes = frame.as_array().expect("sizes");
    assert!(sizes.len() == 3 && sizes.iter().all(|size| size.as_u64().is_some_and(|size| size > 0)), "{frame}");
    let bytes: u64 = sizes.iter().filter_map(Value::as_u64).sum::<u64>() + u64::try_from(script).expect("a size");
    assert!(bytes < 30_000, "{bytes} bytes in all");
    let again = app.http.get(format!("{}/widget/widget.js", app.base)).header("If-None-Match", tag).send().await;
    assert_eq!(again.expect("an answer").status().as_u16(), 304);
}
