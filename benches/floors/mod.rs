//! The least that the same job can cost here: no credentials, no checks, no errors, no words.
//!
//! All but provisioning's run in processes of their own, as the product does: this program is started again as
//! `floor <name> <address> [database URL] [Redis URL]`.

use std::{
    env,
    net::SocketAddr,
    process::{Command, exit},
};

use poem::{IntoEndpoint, Server, listener::TcpListener};

use crate::process::{Process, free_address};

mod accepted;
mod alone;
mod batch;
mod constant;
mod embedded;
mod metered;
pub(crate) mod provisioning;
pub(crate) mod publish;
pub(crate) mod transactions;

pub(crate) use alone::measure;

/// The path that every floor answers on.
pub(crate) const PATH: &str = "/floor";

/// Starts a floor in a process of its own.
pub(crate) fn start(name: &str, urls: &[&str]) -> Process {
    let address = free_address();
    let mut command = Command::new(env::current_exe().expect("this program"));
    command.args(["floor", name, &address.to_string()]).args(urls);
    Process::start(command, address)
}

/// Is a floor until it is killed.
pub(crate) async fn serve(arguments: &[String]) {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["constant", address] => constant::serve(address).await,
        ["metered", address, redis] => metered::serve(address, redis).await,
        ["accepted", address, database, redis] => accepted::serve(address, database, redis).await,
        ["embedded", address, database] => embedded::serve(address, database).await,
        _ => {
            eprintln!("error: there is no such floor");
            exit(2);
        }
    }
}

async fn listen(address: &str, app: impl IntoEndpoint + 'static) {
    let address: SocketAddr = address.parse().expect("an address");
    Server::new(TcpListener::bind(address)).run(app).await.expect("a port");
}
