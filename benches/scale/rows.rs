//! Rows written straight into tables, as fast as each database takes them: COPY on PostgreSQL, one JSON document for
//! some thousand rows on SQLite.

use std::fmt::Write;

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement,
    sqlx::{Connection, PgConnection},
};
use uuid::Uuid;

const AT_ONCE: usize = 5_000;

/// A value that needs no escaping: neither quotes, backslashes nor control characters are in any.
pub(super) enum Cell {
    Null,
    Number(i64),
    Truth(bool),
    Text(String),
    Id(Uuid),
}

impl Cell {
    fn write_copied(&self, text: &mut String) {
        let _ = match self {
            Self::Null => write!(text, "\\N"),
            Self::Number(number) => write!(text, "{number}"),
            Self::Truth(truth) => write!(text, "{truth}"),
            Self::Text(value) => write!(text, "{value}"),
            Self::Id(id) => write!(text, "{id}"),
        };
    }

    fn write_json(&self, text: &mut String) {
        let _ = match self {
            Self::Null => write!(text, "null"),
            Self::Number(number) => write!(text, "{number}"),
            Self::Truth(truth) => write!(text, "{}", i32::from(*truth)),
            Self::Text(value) => write!(text, "\"{value}\""),
            Self::Id(id) => write!(text, "\"{}\"", id.simple()),
        };
    }
}

/// Where rows go.
pub(super) struct Store {
    pub(super) connection: DatabaseConnection,
    copying: Option<PgConnection>,
}

impl Store {
    pub(super) async fn open(url: &str) -> Self {
        let mut options = ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false);
        let connection = Database::connect(options).await.expect("the database");
        let copying = match url.starts_with("sqlite") {
            true => None,
            false => Some(PgConnection::connect(url).await.expect("PostgreSQL")),
        };
        Self { connection, copying }
    }

    pub(super) fn is_sqlite(&self) -> bool {
        self.copying.is_none()
    }

    /// Runs a statement that is only for this database.
    pub(super) async fn run(&self, sql: &str) {
        self.connection.execute_unprepared(sql).await.expect(sql);
    }

    /// Writes rows; columns that hold ids are named with `#` behind them.
    pub(super) async fn write(&mut self, table: &str, columns: &str, rows: impl Iterator<Item = Vec<Cell>>) {
        let mut rows = rows.peekable();
        while rows.peek().is_some() {
            let some = rows.by_ref().take(AT_ONCE);
            match &mut self.copying {
                Some(connection) => copy(connection, table, columns, some).await,
                None => insert(&self.connection, table, columns, some).await,
            }
        }
    }
}

async fn copy(connection: &mut PgConnection, table: &str, columns: &str, rows: impl Iterator<Item = Vec<Cell>>) {
    let mut text = String::new();
    for row in rows {
        for (place, cell) in row.iter().enumerate() {
            if place > 0 {
                text.push('\t');
            }
            cell.write_copied(&mut text);
        }
        text.push('\n');
    }
    let sql = format!("COPY {table} ({}) FROM STDIN", columns.replace('#', ""));
    let mut sink = connection.copy_in_raw(&sql).await.expect("a copy");
    sink.send(text.as_bytes()).await.expect("rows");
    sink.finish().await.expect("rows");
}

async fn insert(connection: &DatabaseConnection, table: &str, columns: &str, rows: impl Iterator<Item = Vec<Cell>>) {
    let mut text = String::from("[");
    for row in rows {
        text.push_str(if text.len() > 1 { ",[" } else { "[" });
        for (place, cell) in row.iter().enumerate() {
            if place > 0 {
                text.push(',');
            }
            cell.write_json(&mut text);
        }
        text.push(']');
    }
    text.push(']');
    let values: Vec<String> = columns
        .split(", ")
        .enumerate()
        .map(|(place, name)| match name.ends_with('#') {
            true => format!("unhex(value->>{place})"),
            false => format!("value->>{place}"),
        })
        .collect();
    let columns = columns.replace('#', "");
    let sql = format!("INSERT INTO {table} ({columns}) SELECT {} FROM json_each($1)", values.join(", "));
    let statement = Statement::from_sql_and_values(DbBackend::Sqlite, sql, [text.into()]);
    connection.execute_raw(statement).await.expect("rows");
}
