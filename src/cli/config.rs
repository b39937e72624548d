//! `quartermaster config`.

use crate::{
    cli::{CommandError, output},
    config::{Config, Flags},
};

pub(super) fn run(flags: &Flags, json: bool) -> Result<(), CommandError> {
    output::list(json, &Config::report(flags)?);
    Ok(())
}
