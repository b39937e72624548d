//! The onboarding page and the widget of web chats in headless Chromium, as a person and as a partner's page see it.
//!
//! The clock of the application is set by hand except where a test says otherwise, so nothing waits for a code to run
//! out.

mod access;
mod embedded;
mod invitation;
mod networks;
mod pictures;
mod portal;
mod scene;
mod states;
mod tour;
mod website;
mod widget;

use scene::Scene;
