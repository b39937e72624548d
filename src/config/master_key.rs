//! The embedded store's own master key file.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use secrecy::{ExposeSecret, SecretString};

use crate::{
    clock::Clock,
    config::{ConfigError, value},
    secret::Vault,
};

const FILE: &str = "master.key";

/// Reads `data_dir/master.key`, or makes it with mode 0600. Two processes that start together end with one key: the
/// file is written whole under another name and then linked into place, which fails if one is there.
pub(crate) fn read_or_make(data_dir: &Path, clock: &Clock) -> Result<SecretString, ConfigError> {
    let path = data_dir.join(FILE);
    let failed = |what: &str, error: &std::io::Error| value("master_key", format!("cannot {what} {FILE}: {error}"));
    if let Some(key) = read(&path).map_err(|error| failed("read", &error))? {
        return Ok(key);
    }
    let folder = DirBuilder::new().recursive(true).mode(0o700).create(data_dir);
    folder.map_err(|error| failed("make the folder of", &error))?;
    let draft = data_dir.join(format!("{FILE}.{}", clock.uuid()));
    let key = Vault::generate(clock);
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).and_then(|mut file| {
        file.write_all(key.expose_secret().as_bytes())?;
        file.sync_all()
    });
    let linked = written.and_then(|()| fs::hard_link(&draft, &path));
    let removed = fs::remove_file(&draft);
    match linked {
        Ok(()) => removed.map(|()| key).map_err(|error| failed("tidy up beside", &error)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            read(&path).map_err(|error| failed("read", &error))?.ok_or_else(|| failed("read", &error))
        }
        Err(error) => Err(failed("make", &error)),
    }
}

fn read(path: &Path) -> std::io::Result<Option<SecretString>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned().into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn one_key_is_made_and_kept() {
        let folder = tempfile::tempdir().expect("folder");
        let clock = Clock::system();
        let keys: Vec<String> = std::thread::scope(|scope| {
            let makers: Vec<_> = (0..8).map(|_| scope.spawn(|| read_or_make(folder.path(), &clock))).collect();
            makers
                .into_iter()
                .map(|maker| maker.join().expect("thread").expect("key").expose_secret().to_owned())
                .collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
        let files: Vec<_> = fs::read_dir(folder.path()).expect("folder").collect();
        assert_eq!(files.len(), 1, "no drafts are left");
        let mode = fs::metadata(folder.path().join(FILE)).expect("file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
