//! The floor of everything that is served: a handler that returns a constant.

use poem::{Route, get, handler};

use crate::floors::{PATH, listen};

pub(super) async fn serve(address: &str) {
    listen(address, Route::new().at(PATH, get(answer))).await;
}

#[handler]
fn answer() -> &'static str {
    "ok"
}
