//! What is promised in numbers, each beside a floor that is measured in the same run. `scripts/bench` starts what this
//! needs; `README.md` says how to read the results.
//!
//! Arguments are names of parts; none means all, but for `floors`, which measures the floors alone. `floor <name> <port> …` serves a floor instead: floors run in
//! processes of their own, as the product does.

use std::{env, path::PathBuf};

mod embedded;
mod floors;
mod inbound;
mod load;
mod memory;
mod message;
mod open_loop;
mod place;
mod process;
mod provisioning;
mod read;
mod report;
mod revocation;
mod scale;
mod seed;
mod series;
mod start;
mod surroundings;
mod webhooks;
mod wrk;

/// Everything that can be measured, in the order of the results.
const PARTS: [&str; 10] =
    ["start", "provisioning", "read", "message", "embedded", "inbound", "webhooks", "scale", "revocation", "memory"];
/// The floors without the product; only where it is named.
const ALONE: &str = "floors";

#[tokio::main]
async fn main() {
    // Cargo adds a flag of its own.
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let Some((first, rest)) = arguments.split_first()
        && first == "floor"
    {
        return floors::serve(rest).await;
    }
    let known = || PARTS.into_iter().chain([ALONE]);
    if let Some(unknown) = arguments.iter().find(|name| !known().any(|part| part == *name)) {
        eprintln!("error: there is no part {unknown}; there are {}", known().collect::<Vec<_>>().join(", "));
        std::process::exit(2);
    }
    let is_wanted = |part: &&str| match arguments.is_empty() {
        true => *part != ALONE,
        false => arguments.iter().any(|name| name == part),
    };
    let file = env::var("QMBENCH_OUT").map_or_else(|_| PathBuf::from("benches/results.md"), PathBuf::from);
    let mut report = report::Report::new(surroundings::describe().await);
    for part in known().filter(is_wanted) {
        report.begin(part);
        match part {
            "start" => start::measure(&mut report),
            "provisioning" => provisioning::measure(&mut report).await,
            "read" => read::measure(&mut report).await,
            "message" => message::measure(&mut report).await,
            "embedded" => embedded::measure(&mut report).await,
            "inbound" => inbound::measure(&mut report).await,
            "webhooks" => webhooks::measure(&mut report).await,
            "scale" => scale::measure(&mut report).await,
            "revocation" => revocation::measure(&mut report).await,
            "memory" => memory::measure(&mut report).await,
            _ => floors::measure(&mut report).await,
        }
        // What is measured stays, whatever becomes of the parts that follow.
        report.write(&file);
    }
    println!("\nwritten to {}", file.display());
}
