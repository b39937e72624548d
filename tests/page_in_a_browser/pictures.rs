//! Pictures of everything that the page can show, for people to look at: `target/tmp/screenshots`.

use std::path::PathBuf;

use super::{Scene, tour::tour};
use crate::support::browser::Look;

const SIZES: [(&str, u32, u32); 2] = [("phone", 375, 812), ("desktop", 1280, 900)];
const SCHEMES: [&str; 2] = ["light", "dark"];

#[tokio::test]
async fn pictures_of_every_state_on_phone_and_desktop_in_light_and_dark() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut scene = Scene::set().await;
    tour(&mut scene, async |scene, place| {
        for (size, width, height) in SIZES {
            for scheme in SCHEMES {
                scene.browser.look(Look { width, height, scheme }).await;
                let path = folder.join(format!("{place}-{size}-{scheme}.png"));
                scene.browser.picture(&path).await;
                let bytes = std::fs::read(&path).expect("a picture");
                assert_eq!(width_of_png(&bytes), width, "{}", path.display());
            }
        }
    })
    .await;
}

fn width_of_png(bytes: &[u8]) -> u32 {
    assert!(bytes.starts_with(b"\x89PNG"));
    u32::from_be_bytes(bytes[16..20].try_into().expect("four bytes"))
}
