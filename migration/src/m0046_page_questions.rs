//! What a network asks of an attempt on a page before it lets the account in, and how the answers went.

pub(crate) const UP: &[&str] = &[
    "ALTER TABLE attempts ADD COLUMN checkpoint {text}",
    "ALTER TABLE attempts ADD COLUMN checkpoint_expires_at BIGINT",
    "ALTER TABLE attempts ADD COLUMN question_seq INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE attempts ADD COLUMN wrong_answers INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE attempts ADD COLUMN answering_until BIGINT",
];

pub(crate) const DOWN: &[&str] = &[
    "ALTER TABLE attempts DROP COLUMN answering_until",
    "ALTER TABLE attempts DROP COLUMN wrong_answers",
    "ALTER TABLE attempts DROP COLUMN question_seq",
    "ALTER TABLE attempts DROP COLUMN checkpoint_expires_at",
    "ALTER TABLE attempts DROP COLUMN checkpoint",
];
