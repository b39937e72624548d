//! Who wrote a message in a group; a direct chat is with whoever writes in it.

pub(crate) const UP: &[&str] =
    &["ALTER TABLE messages ADD COLUMN sender_name {text}", "ALTER TABLE messages ADD COLUMN sender_phone {text}"];

pub(crate) const DOWN: &[&str] =
    &["ALTER TABLE messages DROP COLUMN sender_phone", "ALTER TABLE messages DROP COLUMN sender_name"];
