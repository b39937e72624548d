//! A mail server for tests: it takes everything but the first mail.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU16, Ordering},
};

use quartermaster::config::Config;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};

static SMTP_PORT: AtomicU16 = AtomicU16::new(0);

/// A mail server that takes everything but the first mail.
pub(crate) async fn mail_server() -> Arc<Mutex<Vec<String>>> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    SMTP_PORT.store(listener.local_addr().expect("an address").port(), Ordering::SeqCst);
    let mails = Arc::new(Mutex::new(Vec::new()));
    let taken = Arc::clone(&mails);
    tokio::spawn(async move {
        let mut seen = 0;
        while let Ok((stream, _)) = listener.accept().await {
            seen += 1;
            let mut stream = BufReader::new(stream);
            let (mut mail, mut is_data, mut line) = (String::new(), false, String::new());
            stream.write_all(b"220 mail.example ESMTP\r\n").await.expect("a greeting");
            while stream.read_line(&mut line).await.is_ok_and(|bytes| bytes > 0) {
                let answer: &[u8] = match line.trim_end() {
                    "." if is_data => {
                        is_data = false;
                        taken.lock().expect("mails").push(std::mem::take(&mut mail));
                        b"250 taken\r\n"
                    }
                    _ if is_data => b"",
                    "DATA" => {
                        is_data = true;
                        b"354 go on\r\n"
                    }
                    text if text.starts_with("MAIL") && seen == 1 => b"451 try later\r\n",
                    "QUIT" => b"221 bye\r\n",
                    _ => b"250 mail.example\r\n",
                };
                if is_data {
                    mail.push_str(&line);
                }
                stream.write_all(answer).await.expect("an answer");
                line.clear();
            }
        }
    });
    mails
}

/// Has mail go to the server, which is on this machine.
pub(crate) fn mailing(config: &mut Config) {
    let port = SMTP_PORT.load(Ordering::SeqCst);
    config.smtp_url = Some(format!("smtp://127.0.0.1:{port}?tls=none").into());
    config.mail_from = Some("us@example.com".to_owned());
    config.allow_private_targets = true;
}

/// The text behind soft line breaks and `=3D`.
pub(crate) fn unfolded(mail: &str) -> String {
    mail.replace("=\r\n", "").replace("=3D", "=")
}
