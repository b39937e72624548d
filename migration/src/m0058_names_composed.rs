//! Composes the names of chats, as all that are given are from here on: what looks alike is found alike.
//!
//! SQLite has no words for it, so the names are read, some at a time. Chats that were given names which are alike now
//! keep them both: as before this step, the one with the newest message is meant. None of them is lost on the way down,
//! where they stay composed.

use sea_orm_migration::{
    MigrationName,
    prelude::{DbErr, MigrationTrait, SchemaManager, async_trait},
    sea_orm::{ConnectionTrait, Statement},
};
use unicode_normalization::{UnicodeNormalization, is_nfc};

/// How many names are read at once.
const AT_ONCE: usize = 1000;

pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &'static str {
        "m0058_names_composed"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let statement = |sql: &str, values| Statement::from_sql_and_values(db.get_database_backend(), sql, values);
        let names = format!("SELECT id, name FROM chats WHERE id > $1 ORDER BY id LIMIT {AT_ONCE}");
        let mut after = 0i64;
        loop {
            let rows = db.query_all_raw(statement(&names, vec![after.into()])).await?;
            for row in &rows {
                let (id, name): (i64, String) = (row.try_get("", "id")?, row.try_get("", "name")?);
                after = id;
                if !is_nfc(&name) {
                    let composed: String = name.nfc().collect();
                    let folded = composed.to_lowercase();
                    // A process of the release before may have given it another name meanwhile.
                    let change = "UPDATE chats SET name = $1, name_folded = $2 WHERE id = $3 AND name = $4";
                    let values = vec![composed.into(), folded.into(), id.into(), name.into()];
                    db.execute_raw(statement(change, values)).await?;
                }
            }
            if rows.len() < AT_ONCE {
                return Ok(());
            }
        }
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }
}
