//! The floor of everything that replicas tell each other: a message from PUBLISH on one connection to its arrival on
//! another.

use std::time::Duration;

use futures_util::StreamExt;
use quartermaster::clock::Clock;
use redis::{AsyncCommands, Client};

const TOPIC: &str = "floor:signals";

/// How long each of so many took, sorted.
pub(crate) async fn times(redis: &str, rounds: usize) -> Vec<Duration> {
    let client = Client::open(redis).expect("a URL");
    let mut heard = client.get_async_pubsub().await.expect("Redis");
    heard.subscribe(TOPIC).await.expect("a subscription");
    let mut heard = heard.into_on_message();
    let mut connection = client.get_multiplexed_async_connection().await.expect("Redis");
    let mut took = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let watch = Clock::system().stopwatch();
        let told: i64 = connection.publish(TOPIC, "now").await.expect("Redis");
        assert_eq!(told, 1, "somebody else listens");
        heard.next().await.expect("a message");
        took.push(watch.elapsed());
    }
    took.sort_unstable();
    took
}
