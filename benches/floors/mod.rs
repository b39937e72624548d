//! The least that the same job can cost here: no credentials, no checks, no errors, no words.

pub(crate) mod provisioning;
