//! The floor of an authenticated call: a handler with one script call on Redis, over one connection that all share.

use std::sync::Arc;

use poem::{EndpointExt, Route, get, handler, http::StatusCode, web::Data};
use redis::{AsyncConnectionConfig, Client, aio::MultiplexedConnection};

use crate::floors::{PATH, listen};

const SCRIPT: &str = include_str!("meter.lua");
/// A rate that nothing reaches here.
const INTERVAL_US: i64 = 1;
const TOLERANCE_US: i64 = 1_000_000;
const LIMIT: i64 = 1_000_000_000_000;

/// The script, loaded.
pub(super) struct Meter {
    connection: MultiplexedConnection,
    digest: String,
}

impl Meter {
    pub(super) async fn open(url: &str) -> Self {
        let client = Client::open(url).expect("a URL");
        let config = AsyncConnectionConfig::new();
        let connection = client.get_multiplexed_async_connection_with_config(&config).await;
        let mut connection = connection.expect("Redis");
        let load = redis::cmd("SCRIPT").arg("LOAD").arg(SCRIPT).query_async(&mut connection).await;
        Self { connection, digest: load.expect("the script") }
    }

    /// Whether a call that costs so many credits is admitted.
    pub(super) async fn admits(&self, workspace: i64, credits: i64) -> bool {
        let mut call = redis::cmd("EVALSHA");
        call.arg(&self.digest).arg(2).arg(format!("floor:{workspace}:rate")).arg(format!("floor:{workspace}:use"));
        call.arg(INTERVAL_US).arg(TOLERANCE_US).arg(credits).arg(LIMIT);
        matches!(call.query_async::<i64>(&mut self.connection.clone()).await, Ok(0))
    }
}

pub(super) async fn serve(address: &str, redis: &str) {
    let meter = Arc::new(Meter::open(redis).await);
    listen(address, Route::new().at(PATH, get(answer)).data(meter)).await;
}

#[handler]
async fn answer(meter: Data<&Arc<Meter>>) -> StatusCode {
    if meter.admits(1, 0).await { StatusCode::OK } else { StatusCode::TOO_MANY_REQUESTS }
}
