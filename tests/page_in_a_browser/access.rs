//! The page without a mouse, without eyes, and on a small screen.

use serde_json::{Value, json};

use super::{Scene, tour::tour};
use crate::support::browser::Look;

pub(super) const TAB: &str = "\u{e004}";
pub(super) const ENTER: &str = "\u{e007}";
/// Roles that a person operates or is told, so that they need a name.
const NAMED: [&str; 8] =
    ["button", "textbox", "link", "image", "DisclosureTriangle", "heading", "checkbox", "RootWebArea"];

const NUMBER_WANTED: &str = "Please enter the number with its country code: + and 7 to 15 digits.";

/// The text that stands out least from what is behind it: WCAG's contrast ratio and the text.
pub(super) const LEAST_CONTRAST: &str = r#"
    const numbers = (color) => color.match(/[\d.]+/g).map(Number);
    const luminance = (color) => {
      const [r, g, b] = numbers(color).map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const isClear = (color) => numbers(color)[3] === 0;
    const behind = (element) => {
      for (let e = element; e; e = e.parentElement) {
        const color = getComputedStyle(e).backgroundColor;
        if (!isClear(color)) return color;
      }
      return "rgb(255, 255, 255)";
    };
    const seen = [...document.querySelectorAll("body *")].filter((element) => element.checkVisibility() &&
      !element.disabled && !element.closest(".visually-hidden") &&
      [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()));
    const ratios = seen.map((element) => {
      const [dark, light] = [luminance(getComputedStyle(element).color), luminance(behind(element))].sort((a, b) => a - b);
      return { ratio: (light + 0.05) / (dark + 0.05), text: element.textContent.trim() };
    });
    return ratios.sort((a, b) => a.ratio - b.ratio)[0];
"#;

/// Whether the focused element is marked so that it can be seen.
pub(super) const FOCUS: &str = r#"
    const element = document.activeElement, style = getComputedStyle(element);
    const isMarked = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    return { element: element.id || element.localName, isMarked };
"#;

#[tokio::test]
async fn a_pairing_code_by_keyboard_alone() {
    let scene = Scene::set().await;
    let first = scene.show_code().await;
    let focus = async |expected: &str| {
        let found = scene.browser.run(FOCUS).await;
        assert_eq!(found, json!({ "element": expected, "isMarked": true }));
    };
    scene.browser.press(TAB).await;
    focus("summary").await;
    scene.browser.press(ENTER).await;
    scene.browser.press(TAB).await;
    focus("phone").await;
    scene.browser.press("12").await;
    scene.browser.press(ENTER).await;
    scene.browser.until("document.getElementById('phone-error').checkVisibility()").await;
    let error = "const field = document.getElementById('phone');
        const error = document.getElementById(field.getAttribute('aria-describedby'));
        return [field.getAttribute('aria-invalid'), error.getAttribute('role'), error.innerText, field.value]";
    let told = scene.browser.run(error).await;
    assert_eq!(told, json!(["true", "alert", NUMBER_WANTED, "12"]));
    focus("phone").await;
    // What was typed is still there to be corrected.
    scene.browser.press("\u{e003}\u{e003}+1 555 000 1111").await;
    scene.browser.press(TAB).await;
    focus("button").await;
    scene.browser.press(ENTER).await;
    let code = scene.browser.until("document.getElementById('code').textContent").await;
    let code = code.as_str().expect("a code").to_owned();
    let (left, right) = code.split_once('-').expect("a hyphen");
    assert!([left, right].iter().all(|half| half.len() == 4 && half.bytes().all(|b| b.is_ascii_digit())), "{code}");
    let spelled: Vec<String> = code.chars().map(String::from).collect();
    assert_eq!(scene.announcement().await, format!("Type this code into the phone: {}", spelled.join(" ")));
    // The form is closed; the focus is not lost with it.
    focus("summary").await;
    scene.app.advance(20).await;
    scene.code_after(&first).await;
    assert_eq!(scene.browser.run("return document.getElementById('code').textContent").await, code);
    let typed = json!({ "code": format!("{left}{right}"), "phone": "+15550001111" });
    assert_eq!(scene.acme.post("/sandbox/pair", typed).await.expect(200)["outcome"], "linked");
    scene.until("connected").await;
    scene.expect_quiet_console().await;
}

#[tokio::test]
async fn trying_again_by_keyboard() {
    let scene = Scene::set().await;
    let first = scene.show_code().await;
    scene.run_out().await;
    scene.until("expired").await;
    scene.browser.press(TAB).await;
    assert_eq!(scene.browser.run(FOCUS).await, json!({ "element": "retry", "isMarked": true }));
    scene.browser.press(ENTER).await;
    scene.until("awaiting_scan").await;
    scene.code_after(&first).await;
    assert_eq!(scene.browser.run("return document.activeElement.id").await, "onboarding");
    assert_eq!(scene.announcement().await, "The code is ready. Scan it with WhatsApp, or link with the phone number.");
}

#[tokio::test]
async fn everything_is_named_readable_and_fits_a_narrow_screen() {
    let mut scene = Scene::set().await;
    tour(&mut scene, async |scene, place| {
        for scheme in ["light", "dark"] {
            scene.browser.look(Look { width: 320, height: 640, scheme }).await;
            let least = scene.browser.run(LEAST_CONTRAST).await;
            assert!(least["ratio"].as_f64().is_some_and(|ratio| ratio >= 4.5), "{place}, {scheme}: {least}");
        }
        let document = "const root = document.documentElement;
            const headings = [...document.querySelectorAll('h1')].filter((heading) => heading.checkVisibility());
            return [root.lang, root.scrollWidth <= innerWidth, headings.length, document.title !== '']";
        assert_eq!(scene.browser.run(document).await, json!(["en", true, 1, true]), "{place}");
        check_names(scene, place).await;
        if place != "offline" {
            scene.expect_quiet_console().await;
        }
    })
    .await;
}

/// Looks at the page as the browser describes it to a screen reader.
async fn check_names(scene: &Scene, place: &str) {
    let tree = scene.browser.devtools("Accessibility.getFullAXTree", json!({})).await;
    let nodes = tree["nodes"].as_array().expect("nodes").iter().filter(|node| node["ignored"] == false);
    let named: Vec<(&str, &str)> = nodes
        .map(|node| (text(&node["role"]["value"]), text(&node["name"]["value"])))
        .filter(|(role, _)| NAMED.contains(role))
        .collect();
    assert!(named.iter().all(|(_, name)| !name.trim().is_empty()), "{place}: {named:?}");
    let expected = match place {
        "awaiting_scan" => {
            vec![("image", "QR code to scan with WhatsApp"), ("DisclosureTriangle", "Link with phone number instead")]
        }
        "invalid_number" => vec![("textbox", "Phone number with country code"), ("button", "Get a code")],
        "expired" | "failed" => vec![("button", "Get a new code")],
        _ => vec![],
    };
    assert!(expected.iter().all(|control| named.contains(control)), "{place}: {named:?}");
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
