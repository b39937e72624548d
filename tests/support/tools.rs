//! Programs of others that tests measure us against. `scripts/test` installs them and says where they are.

use std::process::Command;

/// Runs a Python program with PyJWT at hand; what it prints.
pub(crate) fn python(program: &str, arguments: &[&str]) -> String {
    run(&needed("QMTEST_PYTHON"), &[&["-c", program], arguments].concat())
}

/// What a QR code in a picture file says, read by zbar.
pub(crate) fn zbar(picture: &std::path::Path) -> String {
    let picture = picture.to_str().expect("a path");
    run(&needed("QMTEST_ZBARIMG"), &["--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", picture])
}

pub(crate) fn needed(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set: run scripts/test, which installs tools"))
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
}
